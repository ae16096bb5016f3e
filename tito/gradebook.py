"""The gradebook's database: SQLite in the course's folder, or a server whose URL is in nbgrader's configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

from nbgrader.api import InvalidEntry
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from tito.errors import TitoError


def check_database(url: str) -> None:
    """Raise a TitoError, without the password in it, if a database server cannot be used."""
    try:
        shown = make_url(url).render_as_string(hide_password=True)
        if not shown.startswith("sqlite"):
            engine = create_engine(url)
            engine.connect().close()
            engine.dispose()
    except ModuleNotFoundError as error:
        driver = "pip install 'tinytorch[postgres]' and write postgresql+psycopg://..."
        raise TitoError(f"the gradebook {shown} needs a driver ({error}). Run {driver}") from None
    except ArgumentError as error:
        raise TitoError(f"the gradebook's URL is not valid ({error}). Write postgresql+psycopg://USER@HOST/DATABASE") from None
    except OperationalError as error:
        raise TitoError(f"the gradebook {shown} does not answer: {error.orig}", code=1) from None


@contextmanager
def catch_database_errors(url: str) -> Iterator[None]:
    """Turn a failure of the database, such as a full or damaged disk, into a TitoError without the password in it."""
    try:
        yield
    except (DatabaseError, InvalidEntry) as error:
        shown = make_url(url).render_as_string(hide_password=True)
        said = error.orig if isinstance(error, DatabaseError) else str(error).partition("\n")[0]
        raise TitoError(f"the gradebook {shown} cannot be used: {said}", code=1) from None
