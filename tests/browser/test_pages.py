"""The pages about a class in a real browser: they fit a narrow screen, are legible in dark mode, and load nothing else."""

import random

import pytest

from tito import report, syllabus
from tito.report import CheckReport, Report
from tito.similarity import comparing
from tito.similarity import page as similarity
from tito.similarity.comparing import Comparison, Submission

pytestmark = pytest.mark.xdist_group("browser")
NAMES = (
    "amara.okafor", "anneliese.von-schwarzenberg", "bao.nguyen", "chloe.dubois", "dmitri.volkov", "elif.yilmaz",
    "fatima.al-sayed", "giulia.rossi", "hiro.tanaka", "ingrid.solberg", "joao.silva", "kwame.mensah", "lars.nilsson", "mei.chen",
    "noor.hussain", "olga.petrova", "priya.raman", "quentin.moreau", "rosa.garcia", "sven.eriksson", "tariq.aziz", "uma.krishnan",
    "viktor.novak", "wanjiru.kamau", "ximena.flores", "yusuf.demir", "zofia.kowalska",
    "<script>alert(1)</script>", "x" * 100, "mary-jane.o_neill",
)  # fmt: skip
CHECKS = ("conv2d_shape_check", "conv2d_values_check", "conv2d_hidden", "maxpool2d_check", "maxpool2d_hidden", "im2col_check",
          "im2col_of_a_batch_with_stride_and_padding_hidden", "naive_conv2d_check", "spatial_reflect")  # fmt: skip
LONG = (
    "AssertionError: Arrays are not equal: the convolution of a (2, 3, 8, 8) image with a (4, 3, 3, 3) kernel, stride 2, "
    "padding 1: Mismatched elements: 127 / 128 (99.2%) <img src=http://evil.example/x.png> " + "y" * 200
)


def a_report() -> Report:
    rng, checks = random.Random(1), []
    for place, name in enumerate(CHECKS):
        passed, kind = rng.randint(5, 30), "hidden check" if name.endswith("hidden") else "check"
        kind = "by hand" if name.endswith("reflect") else kind
        mean, discrimination = round(passed / 3, 2), rng.uniform(-0.2, 0.9)
        checks.append(CheckReport(name, kind, 10, 30, passed, mean, discrimination, LONG * (place % 2), place))
    bins = [(10.0 * n, 10.0 * n + 10, count) for n, count in enumerate((1, 0, 0, 1, 2, 3, 5, 9, 7, 2))]
    return Report("06_spatial", 30, 4, 12, 100, 71.33, 74.5, bins, checks, {"graded": 28, "timed out in cell conv2d": 1, LONG: 1})


def a_comparison() -> Comparison:
    code = "#| export\ndef conv2d(image, kernel, stride=1, padding=0):\n" + "".join(
        f"    row_{n} = accumulate_over_the_window(image[:, :, {n}:{n} + kernel.shape[2]], kernel) * stride ** {n}  # part {n}\n"
        for n in range(12)
    )
    class_ = [comparing.add_fingerprints(Submission(name, {"conv2d": code.replace("part", name[:8])}), {}) for name in NAMES[-8:]]
    returns_name = "def conv2d(x):\n    return {!r}"
    others = [comparing.add_fingerprints(Submission(name, {"conv2d": returns_name.format(name)}), {}) for name in NAMES[:-8]]
    pairs = comparing.rank_pairs([*class_, *others], set(), 10)
    return Comparison(syllabus.module("06"), 30, pairs, {NAMES[0]: LONG, NAMES[-2]: "its JSON cannot be read"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pages")
    (made / "report.html").write_text(report.page(a_report()), encoding="utf-8")
    (made / "similarity.html").write_text(similarity.page(a_comparison()), encoding="utf-8")
    return made


@pytest.fixture(params=["report", "similarity"])
def opened(request, chromium, folder):
    """Open the page at a width, in a light or dark scheme. It must load nothing else and run nothing."""
    asked, dialogs, contexts = [], [], []

    def open_(width: int, scheme: str = "light"):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda one: asked.append(one.url))
        page.on("dialog", lambda one: (dialogs.append(one.message), one.dismiss()))
        page.goto((folder / f"{request.param}.html").as_uri(), wait_until="networkidle")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert dialogs == []
    assert [url for url in asked if not url.startswith("file:")] == []
    assert len(asked) == len(contexts), "the page itself, and nothing else"


@pytest.mark.parametrize("width", [400, 800, 1400])
def test_the_page_is_no_wider_than_the_window(opened, width):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = "[...document.querySelectorAll('h1, h2, h3, p')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    assert page.evaluate(cut) == 0


# The contrast of every text with its background, as WCAG defines it. Plots are inverted as a whole and not measured.
CONTRASTS = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = e => {
    const colour = rgb(getComputedStyle(e).backgroundColor);
    return colour[3] === 0 ? behind(e.parentElement) : colour;
  };
  const speaks = e => !e.closest('svg') && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
  return [...document.body.querySelectorAll('*')].filter(speaks).map(e => {
    const [dark, bright] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => x - y);
    return (bright + 0.05) / (dark + 0.05);
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_in_the_light_and_in_the_dark(opened, scheme):
    page = opened(1000, scheme)
    assert min(page.evaluate(CONTRASTS)) >= 4.5
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper != "rgb(255, 255, 255)") == (scheme == "dark")


@pytest.mark.parametrize("width", [400, 1400])
def test_the_note_that_this_is_no_verdict_is_visible_without_scrolling(chromium, folder, width):
    page = chromium.new_page(viewport={"width": width, "height": 600})
    page.goto((folder / "similarity.html").as_uri())
    note = page.get_by_text(comparing.NO_VERDICT)
    box = note.bounding_box()
    assert note.is_visible() and box["y"] + box["height"] < 400
    assert box["y"] < page.locator("table").first.bounding_box()["y"]
    page.close()
