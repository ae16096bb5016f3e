"""The feedback page shows code, points and reasons. It runs nothing, loads nothing, and shows no hidden check."""

import re
from html.parser import HTMLParser

import pytest
from lab import MODULE, SECRET
from people import PEOPLE


class Elements(HTMLParser):
    """Every element with its attributes, and the text outside scripts and styles."""

    def __init__(self, page: str):
        super().__init__()
        self.elements, self.text, self._inside = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._inside = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside is None:
            self.text.append(data)


@pytest.fixture(scope="module")
def page(graded):
    def read(student: str) -> str:
        folder = graded[0].folder / "feedback" / student / MODULE.slug
        return (folder / f"{MODULE.slug}.html").read_text(encoding="utf-8")

    return read


def body(page: str) -> Elements:
    return Elements(page[page.index("<body") :])


@pytest.mark.parametrize("name", PEOPLE)
def test_everybody_has_a_page_with_their_points_and_no_hidden_check(page, name):
    text = page(name)
    assert SECRET not in text
    assert "HIDDEN TESTS" not in text
    assert "tito.grading" not in "".join(body(text).text)
    assert PEOPLE[name].status.split()[0] in text
    assert f"Checks: {PEOPLE[name].points:g} of 80 points." in "".join(body(text).text)


def test_it_shows_the_code_and_what_it_printed(page):
    text = "".join(body(page("zoe")).text)
    assert "def double(x):" in text
    assert "hello from zoe" in text
    assert "It is not a multiple of two." in text


def test_it_says_why_points_were_lost(page):
    assert "twice 3 is 6, not 9" in "".join(body(page("raid")).text)
    assert "syntax error" in "".join(body(page("fay")).text)
    assert "graded again on an array" in "".join(body(page("raid")).text).lower()


def test_mathjax_makes_no_links_and_runs_nothing(page):
    r"""Without its `Safe` extension, $\href{javascript:...}{x}$ in an essay would be a link that runs."""
    assert re.findall(r"mathjax/[^\"']+", page("zoe"))
    assert all(found.endswith(",Safe") for found in re.findall(r"mathjax/[^\"']+", page("zoe")))


def test_no_markup_is_shown_as_text(page):
    """Sanitizing must not turn our own paragraphs, headings and tables into visible tags."""
    shown = "".join(body(page("raid")).text)
    assert not [tag for tag in ("<p>", "<h1", "<h3", "<th", "<thead", "<tbody", "<strong>") if tag in shown]


@pytest.mark.parametrize("name", ["vandal", "zoe"])
def test_nothing_in_it_runs_or_is_fetched(page, name):
    found = body(page(name)).elements
    scripts = [attributes for tag, attributes in found if tag == "script"]
    assert scripts == []
    assert not [tag for tag, _ in found if tag in ("iframe", "object", "embed", "form", "base", "meta", "link", "style", "svg")]
    assert not [a for _, a in found for key in a if key.startswith("on")]
    sources = [a.get("src", "") for tag, a in found if tag in ("img", "audio", "video", "source")]
    assert all(source.startswith("data:image/png;base64,") for source in sources if source)
    assert not [a for _, a in found if (a.get("href") or "").lower().startswith("javascript:")]
    assert not [a for _, a in found if "url(" in (a.get("style") or "")]
