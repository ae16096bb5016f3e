"""Match the rules in a module's text with wrong answers: each rule needs one that breaks it and loses a visible point.

Wrong answers are in tests/modules/wrong; right ones that differ from the reference are in tests/modules/right. An answer
begins with `# %% cell: the thought behind it`. A second line `# rule: ...` quotes the rule that it breaks.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from tito import source

SHORTEST = 12  # characters of a quotation: shorter ones could match anywhere
_HEADER = re.compile(r"^# %% (\w+): (.+)\n(?:# rule: (.+)\n)?", re.MULTILINE)
_BINDING = re.compile(r"\b([Mm]ust|[Nn]ever|[Mm]ay not|[Rr]aises?|[A-Z]\w*Error|Do not)\b|\b[Ll]eave\b.*\balone\b")


@dataclass(frozen=True)
class Solution:
    """A solution of an exercise, the thought behind it, and the rule that it breaks, if any."""

    module: str
    cell: str
    thought: str
    body: str
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.module}-{self.cell}: {self.thought}"


@cache
def solutions(root: Path, kind: str, module: str = "*") -> list[Solution]:
    """Return all solutions of a kind, "wrong" or "right"."""
    found = []
    for path in sorted((root / "tests" / "modules" / kind).glob(f"{module}.py")):
        parts = _HEADER.split(path.read_text(encoding="utf-8"))[1:]
        for cell, thought, rule, body in zip(*(parts[i::4] for i in range(4)), strict=True):
            found.append(Solution(path.stem, cell, thought.strip(), body.strip("\n"), _join_lines(rule or "")))
    return found


def find_misquoted(notebook: NotebookNode, wrong: list[Solution]) -> list[Solution]:
    """Return the answers whose rule is not in the module's text."""
    text = _join_lines("\n\n".join(_text_for_readers(cell) for cell in notebook.cells if not source.is_check(cell)))
    return [one for one in wrong if one.rule and (len(one.rule) < SHORTEST or one.rule not in text)]


def rules_without_case(notebook: NotebookNode, wrong: list[Solution]) -> list[tuple[str, str]]:
    """Return exercise and sentence of each rule that no answer breaks."""
    quoted = [one.rule for one in wrong if one.rule]
    return [
        (cell, rule)
        for cell, rule in find_rules(notebook)
        if not any(quotation in rule or rule in quotation for quotation in quoted)
    ]


def find_rules(notebook: NotebookNode) -> list[tuple[str, str]]:
    """Return the sentences that state a rule for an exercise, in the prose directly before it and in its own text."""
    found, before = [], []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            before.append(cell.source)
            continue
        if source.is_solution(cell):
            text = "\n\n".join([*before, *_comments(cell.source)])
            found += [(cell.id, sentence) for sentence in _sentences(text) if _BINDING.search(sentence)]
        before = []
    return found


def _text_for_readers(cell: NotebookNode) -> str:
    """Return a cell's text as readers see it: of a solution, only the text before its fence."""
    if cell.cell_type == "code" and source.is_solution(cell):
        return cell.source[: source.FENCE.search(cell.source).start()]
    return cell.source


def _comments(text: str) -> list[str]:
    """Return the docstrings of a cell, and its comments outside the solution."""
    docstrings = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)
    ]
    begin, end = (fence.span() for fence in source.FENCE.finditer(text))
    return docstrings + re.findall(r"(?<=# )[^#|].*", text[: begin[0]] + text[end[1] :])


def _sentences(text: str) -> list[str]:
    """Split a text into sentences, paragraph by paragraph."""
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*[-*|] )", text)
    return [_join_lines(one) for part in paragraphs for one in re.split(r"(?<=[.?])\s+(?=[A-Z`$])", part)]


def _join_lines(text: str) -> str:
    """Join the lines of a text, without the `#` signs of a comment."""
    return " ".join(re.sub(r"^\s*#+ ", "", text, flags=re.MULTILINE).split())
