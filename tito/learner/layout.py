"""The paths in a workspace, and the settings in its workspace.toml."""

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tito.errors import TitoError
from tito.syllabus import MODULES, Module

SETTINGS, PUBLISHED = "workspace.toml", "published"
STUDENT = re.compile(r"[\w@-][\w.@-]{0,99}")  # becomes the name of a folder


@dataclass(frozen=True)
class Workspace:
    """A learner's folder: their notebooks, the released notebooks, and their own package."""

    root: Path

    def notebook(self, module: Module) -> Path:
        return self.root / "modules" / f"{module.slug}.ipynb"

    def pristine(self, module: Module) -> Path:
        """The notebook as it was released, which `check`, `reset` and `status` use."""
        return self.root / ".tito" / "release" / f"{module.slug}.ipynb"

    @property
    def package(self) -> Path:
        return self.root / "tinytorch"

    def exported(self, module: Module) -> Path:
        return self.package / "core" / f"{module.name}.py"

    def checked(self, module: Module) -> Path:
        """The result of the last `tito check` or `tito complete`."""
        return self.root / ".tito" / "checked" / f"{module.slug}.json"

    def published(self, module: Module) -> list[Path]:
        """The paths at which the instructor may have published a module's solution."""
        folders = [self.root, *([self.class_folder] if self.class_folder else [])]
        return [folder / PUBLISHED / f"{module.slug}.py" for folder in folders]

    def released(self) -> list[Module]:
        return [module for module in MODULES if self.pristine(module).is_file()]

    def require_released(self, module: Module) -> None:
        if not self.pristine(module).is_file():
            raise TitoError(f"{module} is not in this release. `tito status` lists its modules")

    # -- workspace.toml ----------------------------------------------------------------------------------------------

    @cached_property
    def settings(self) -> dict[str, Any]:
        path = self.root / SETTINGS
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TitoError(f"{SETTINGS} cannot be read: {error}") from None
        for key, value in settings.items():
            if not isinstance(value, str):
                raise TitoError(f'{SETTINGS}: {key} must be a text in quotes, as {key} = "..."')
        return settings

    @property
    def student(self) -> str | None:
        name = self.settings.get("student")
        return valid_student(name) if name else None

    def require_student(self) -> str:
        if not self.student:
            raise TitoError(f'your id is missing. Write student = "your-id" into {self.root / SETTINGS}')
        return self.student

    @property
    def class_folder(self) -> Path | None:
        folder = self.settings.get("class_folder")
        return self.root / Path(folder).expanduser() if folder else None

    @property
    def exchange(self) -> tuple[Path, str] | None:
        """The folder of nbgrader's exchange, and the course's name in it."""
        folder, course = self.settings.get("exchange"), self.settings.get("course_id")
        if bool(folder) != bool(course):
            raise TitoError(f"{SETTINGS}: nbgrader's exchange needs both exchange and course_id")
        return (self.root / Path(folder).expanduser(), course) if folder else None


def valid_student(name: str) -> str:
    if not STUDENT.fullmatch(name):
        raise TitoError(f"{name!r} cannot be a student's id. Use letters, digits and . _ - @, and no dot in front")
    return name
