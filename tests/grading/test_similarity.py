"""A copy in disguise comes before everybody who worked alone, and nothing that is handed in stops the comparison."""

import ast
import json
import re
import sys

import alike
import pytest
from lab import MODULE

from tito import cli
from tito.similarity import comparing, page
from tito.similarity.comparing import Submission, add_fingerprints, rank_pairs
from tito.similarity.fingerprints import bound_names, fingerprints, normalise, statements

GIVEN = comparing.given_statements(alike.GIVEN)
REFERENCE = add_fingerprints(Submission("the reference", alike.texts(alike.REFERENCE)), GIVEN)


def class_of(**copies: dict[str, str]) -> list[Submission]:
    """Everybody who worked alone, and these."""
    cells = {name: alike.texts(bodies) for name, bodies in alike.ALONE.items()} | copies
    return [add_fingerprints(Submission(name, texts), GIVEN) for name, texts in cells.items()]


def likeness(class_: list[Submission]) -> dict[set[str], float]:
    return {frozenset((p.first.student, p.second.student)): p.likeness for p in rank_pairs(class_, set(REFERENCE.marks), 1000)}


def first_and_next(found: dict[set[str], float], first: set[str]) -> tuple[float, float]:
    """How alike a pair is, and the most alike of those who have nothing to do with either."""
    return found[frozenset(first)], max(value for pair, value in found.items() if not pair & first)


def disguise(texts: dict[str, str]) -> dict[str, str]:
    """Every name of one's own renamed, a comment in each line, and another layout."""
    names = sorted(bound_names(s for text in texts.values() for s in statements(text)))
    renamed = {}
    for cell, text in texts.items():
        tree = ast.parse(text)
        for node in ast.walk(tree):
            for field in ("id", "arg", "name"):
                if getattr(node, field, None) in names and not isinstance(node, ast.keyword):
                    setattr(node, field, f"z{names.index(getattr(node, field))}")
        renamed[cell] = "\n".join(f"{line}  # and so on" for line in ast.unparse(tree).splitlines() if '"""' not in line)
    return renamed


def test_a_copy_renamed_reordered_commented_and_reformatted_comes_first_by_far():
    copy, others = first_and_next(likeness(class_of(copy=alike.disguised())), {"ben", "copy"})
    assert copy > 0.7
    assert copy > 3 * others


@pytest.mark.parametrize("author", sorted(set(alike.ALONE) - {"ada", "jon"}))  # theirs is what everybody has
def test_renaming_everything_hides_no_copy(author):
    copy, others = first_and_next(likeness(class_of(copy=disguise(alike.texts(alike.ALONE[author])))), {author, "copy"})
    assert copy > 0.9
    assert copy > 2.5 * others


def test_functions_in_another_order_are_as_alike_as_before():
    functions = [alike.texts(bodies)["shapes"] for bodies in list(alike.ALONE.values())[1:4]]
    one, two = ("\n\n".join(order) for order in (functions, functions[::-1]))
    prints = [set(add_fingerprints(Submission("x", {"shapes": text}), {}).marks) for text in (one, two)]
    assert prints[0] == prints[1]


def test_what_was_given_is_no_likeness():
    untouched = [add_fingerprints(Submission(name, dict(alike.GIVEN)), GIVEN) for name in "abc"]
    assert all(one.marks == {} for one in untouched)
    assert rank_pairs(untouched, set(), 10) == []


def test_the_reference_written_twice_is_no_likeness():
    twice = class_of(again=disguise(alike.texts(alike.REFERENCE)))
    assert likeness(twice).get(frozenset(("ada", "again")), 0) < 0.1


def test_what_most_of_the_class_wrote_is_no_likeness():
    same = {f"s{i}": alike.texts(alike.ALONE["ben"]) for i in range(20)}
    found = likeness(class_of(**same))
    assert found.get(frozenset(("s1", "s2")), 0) == 0


def test_what_few_wrote_weighs_more_than_what_many_did():
    def one(name, *lines):
        return add_fingerprints(Submission(name, {"shapes": "\n".join(lines)}), {})

    rare, usual, odd = "u = alpha(one, two, three)", "v = beta(four, five, six)", "w = gamma(seven, eight, nine)"
    class_ = [one("a", rare, usual), one("b", rare, odd), one("c", usual, odd), one("d", usual)]
    class_ += [one(f"e{i}", f"k = {name}(p) + {name}(q)") for i, name in enumerate(["delta", "eta", "theta", "kappa"])]
    found = likeness(class_)
    assert found[frozenset("ab")] > found[frozenset("ac")] > 0


def test_copies_are_found_in_a_class_of_three():
    found = likeness([one for one in class_of(copy=alike.disguised()) if one.student in ("ben", "copy", "cleo")])
    assert max(found, key=found.get) == {"ben", "copy"}


def test_a_shared_run_of_eight_tokens_shares_a_fingerprint():
    run = "a + b * c - d / e"
    prints = [set(fingerprints([(word, 1) for word in text.split()])) for text in (f"x = y ( {run} )", f"return {run} , 7")]
    assert prints[0] & prints[1]


def test_names_of_ones_own_are_told_from_those_of_libraries():
    text = "def f(x, *rest, axis=0):\n    for i, (j, k) in rest:\n        m[i], n = np.sum(x, axis=axis), (t := j)\n"
    text += "    with a as b: pass\n"
    assert bound_names(statements(text)) == {"f", "x", "rest", "axis", "i", "j", "k", "m", "n", "t", "b"}
    (said,) = ([word for word, _ in normalise(s, {"axis", "x"})] for s in statements("np.sum((x), axis=axis,)"))
    assert said == ["np", ".", "sum", "_", ",", "axis", "=", "_"]


HOSTILE = {
    "a syntax error": "def f(:\n    return ((",
    "brackets": "(" * 5000,
    "signs": "x = " + "-" * 100_000 + "1",
    "one line": "x = [" + "1, " * 60_000 + "]",
    "an open string": "x = '''never ends",
    "indentation": "\n".join(" " * i + "if 1:" for i in range(500)),
    "null": "x = 1\0",
    "controls": "x = 1\u202e\u2066\x1b[31m\ry = 2",
    "surrogate": "x = '\udce9'".encode(errors="replace").decode(),
    "no python": "%%bash\nrm -rf / ; `ls` $PATH ?",
    "empty": "",
    "numbers": "1__0 + 0x_g + 1e999999 + 9" + "9" * 5000,
    "an f-string": "f'{x!r:{y}} {{' + f'''{f\"{1}\"}'''",
    "nested": "f(" * 300 + ")" * 300,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_cell_stops_nothing(what):
    hostile = {"shapes": HOSTILE[what], "order": HOSTILE[what]}
    found = likeness(class_of(copy=alike.disguised(), hostile=hostile, also=hostile))
    without = {pair: value for pair, value in found.items() if "hostile" not in pair and "also" not in pair}
    assert max(without, key=without.get) == {"ben", "copy"}


# -- the command -----------------------------------------------------------------------------------------------------

SCRIPT = "</pre><script>alert(1)</script><img src=http://evil.example/x.png>"
ODD = "\n".join(f"    total_{i} = weigh(x, total_{i - 1}, {i}) ** {i} if x > {i} else spread(x)[{i}]" for i in range(1, 9))


@pytest.fixture
def similarity(monkeypatch, capsys):
    """`tito course similarity 01` in this process: its exit code, and what it wrote."""

    def run(lab, *words):
        monkeypatch.chdir(lab.root)
        monkeypatch.setattr(sys, "argv", ["tito", "course", "similarity", "01", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def handed_in(own_lab):
    def half(name):
        return f"def half({name}):\n    '{SCRIPT}'\n{ODD.replace('total', name * 2)}\n    return {name} / 2  # {SCRIPT}\x1b\u202e"

    own_lab.hand_in("ada", half=half("x"))
    own_lab.hand_in(
        "<b>ben", half=half("number").replace("(x,", "(number,").replace("(x)", "(number)").replace("x >", "number >")
    )
    own_lab.hand_in("cleo")
    own_lab.hand_in("dan", half="def half(x):\n    return x * 0.5", double="def double(x:\n  return")
    own_lab.hand_in("eve", b"{")
    own_lab.hand_in("finn", half="")
    return own_lab


def test_the_pair_is_shown_side_by_side_and_nothing_of_theirs_is_html(handed_in):
    found = comparing.compare(handed_in.folder, MODULE)
    assert [{p.first.student, p.second.student} for p in found.pairs][:1] == [{"ada", "<b>ben"}]
    assert "its JSON cannot be read" in found.left_out["eve"]
    html = page.page(found)
    assert comparing.NO_VERDICT in html
    assert "&lt;script&gt;" in html and "<mark>" in html
    assert not re.search(r"<script|<img|<b>ben|<link|@import|url\(|\x1b|\u202e", html)
    assert "default-src 'none'" in html


def test_the_command_writes_a_page_and_ranks(handed_in, similarity):
    code, out, err = similarity(handed_in, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert {found["pairs"][0]["first"], found["pairs"][0]["second"]} == {"ada", "<b>ben"}
    assert found["submissions"] == 5 and list(found["left_out"]) == ["eve"] and "no verdict" in found["note"]
    assert (handed_in.folder / "similarity" / "01_setup.html").is_file()
    code, out, err = similarity(handed_in, "--most", "1")
    assert code == 0 and "no verdict" in out and "eve was not compared" in err


def test_nobody_to_compare_is_one_line(own_lab, similarity):
    said = similarity(own_lab)
    assert said == (1, "", "tito: nobody has handed in 01_setup. Run `tito course collect 01 FROM`\n")


def test_one_submission_alone_has_no_pair(own_lab):
    own_lab.hand_in("ada")
    assert comparing.compare(own_lab.folder, MODULE).pairs == []
