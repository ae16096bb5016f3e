"""Make mutants: copies of a solution with one small mistake each.

A rule is a function that takes a node of the syntax tree and yields texts to replace it, with the kind of mistake.
"""

import ast
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tito import source

Edits = Iterator[tuple[str, ast.AST, str]]  # kind, the node to replace, the new text


@dataclass(frozen=True)
class Mutant:
    """One mistake in one solution cell: the line before, the line now, and the whole text of the cell."""

    cell: str
    kind: str
    line: int  # of the cell's text
    was: str
    now: str
    text: str

    @property
    def key(self) -> str:
        return f"{self.cell}, line {self.line}: {self.was} => {self.now} ({self.kind})"


def mutants(cell: str, text: str) -> list[Mutant]:
    """Return every mutant of a solution cell, inside its fence, in the order of the text, without duplicates."""
    tree, lines = ast.parse(text), text.splitlines()
    begin, end = (i for i, line in enumerate(lines, 1) if source.FENCE.match(line))
    original, found = ast.dump(tree), {}
    for kind, start, stop, new in sorted(_edits(tree, text, begin, end), key=lambda edit: edit[1:]):
        mutated = text[:start] + new + text[stop:]
        if mutated not in found and _compiles(mutated) and ast.dump(ast.parse(mutated)) != original:
            found[mutated] = Mutant(cell, kind, *_difference(lines, mutated.splitlines()), mutated)
    return list(found.values())


def _edits(tree: ast.Module, text: str, begin: int, end: int) -> Iterator[tuple[str, int, int, str]]:
    """Yield (kind, start, stop, new text) for every edit between the lines of the fence."""
    span = _Span(text)
    for node in _inside(tree, begin, end):
        for rule in RULES:
            for kind, target, new in rule(node, span.text):
                yield kind, *span(target), new
        if isinstance(node, ast.BinOp | ast.Compare | ast.BoolOp | ast.AugAssign):
            for kind, left, right, old, new in _operators(node):
                after = span(left)[1]
                before = span(right)[0] if right else len(text)
                place = text.index(old, after, before)
                yield kind, place, place + len(old), new
    yield from _careless_edits(tree, span, begin, end)


def _inside(tree: ast.Module, begin: int, end: int) -> Iterator[ast.AST]:
    """Yield the nodes between two lines, except those of error messages: their words are not checked."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if begin < getattr(node, "lineno", 0) < end:
            yield node
        if not isinstance(node, ast.Raise | ast.JoinedStr | ast.arguments) and not _is_docstring(node):
            for child in ast.iter_child_nodes(node):
                waiting += child.elts if _is_unordered(child, node) else [child]


def _is_unordered(node: ast.AST, parent: ast.AST) -> bool:
    """Is the order of this tuple irrelevant, as in `x in (a, b)` and `axis=(0, 1)`?"""
    sets = isinstance(parent, ast.Compare) or (isinstance(parent, ast.keyword) and parent.arg in AXIS)
    return sets and isinstance(node, ast.Tuple)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


class _Span:
    """Finds the range of characters of a node in a text. ast counts bytes instead."""

    def __init__(self, text: str):
        self.whole, self.lines, self.starts = text, text.splitlines(keepends=True), [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def __call__(self, node: ast.AST) -> tuple[int, int]:
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def text(self, node: ast.AST) -> str:
        start, stop = self(node)
        return self.whole[start:stop]


def _difference(old: list[str], new: list[str]) -> tuple[int, str, str]:
    """Return the number of the first line that differs, and the differing lines without their indentation."""
    first = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    last = next((i for i, (a, b) in enumerate(zip(old[::-1], new[::-1], strict=False)) if a != b), 0)
    last = min(last, len(old) - first, len(new) - first)
    pick = (lines[first : len(lines) - last] for lines in (old, new))
    was, now = (" ".join(line.strip() for line in lines) for lines in pick)
    return first + 1, was or "(at the end)", now


def _compiles(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # for example of `0 is x`
            compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


# -- the rules -----------------------------------------------------------------------------------------------------

OPERATORS = {
    ast.Lt: [("boundary", "<="), ("comparison", ">=")], ast.LtE: [("boundary", "<"), ("comparison", ">")],
    ast.Gt: [("boundary", ">="), ("comparison", "<=")], ast.GtE: [("boundary", ">"), ("comparison", "<")],
    ast.Eq: [("comparison", "!=")], ast.NotEq: [("comparison", "==")],
    ast.Is: [("comparison", "is not")], ast.IsNot: [("comparison", "is")],
    ast.In: [("comparison", "not in")], ast.NotIn: [("comparison", "in")],
    ast.And: [("comparison", "or")], ast.Or: [("comparison", "and")],
    ast.BitAnd: [("comparison", "|")], ast.BitOr: [("comparison", "&")],
    ast.Add: [("sign", "-")], ast.Sub: [("sign", "+")],
    ast.Mult: [("arithmetic", "/")], ast.Div: [("arithmetic", "*")], ast.FloorDiv: [("arithmetic", "*")],
    ast.Mod: [("arithmetic", "//")], ast.Pow: [("arithmetic", "*")], ast.MatMult: [("arithmetic", "*")],
}  # fmt: skip
WRITTEN = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.IsNot: "is not",
    ast.In: "in", ast.NotIn: "not in", ast.And: "and", ast.Or: "or", ast.BitAnd: "&", ast.BitOr: "|", ast.Add: "+", ast.Sub: "-",
    ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.MatMult: "@",
}  # fmt: skip
ORDERED = ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.Pow | ast.MatMult
OPPOSITES = {"min": "max", "minimum": "maximum", "any": "all", "sin": "cos", "argmin": "argmax", "append": "appendleft"}
OPPOSITES |= {new: old for old, new in OPPOSITES.items() if old != "append"}
CONVERSIONS = {"int", "float", "bool", "str", "list", "tuple", "set", "dict", "abs"}
SYMMETRIC = {"min", "max", "minimum", "maximum", "add", "multiply", "swapaxes", "isclose"}
AXIS = {"axis", "dim"}


def _operators(node: ast.AST) -> Iterator[tuple[str, ast.AST, ast.AST | None, str, str]]:
    """Yield (kind, left operand, right operand, the operator, another operator)."""
    if isinstance(node, ast.BinOp):
        places = [(node.left, node.op, node.right)]
    elif isinstance(node, ast.AugAssign):
        places = [(node.target, node.op, node.value)]
    elif isinstance(node, ast.Compare):
        places = zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)
    else:
        places = ((left, node.op, right) for left, right in zip(node.values, node.values[1:], strict=False))
    for left, operator, right in places:
        for kind, new in OPERATORS.get(type(operator), []):
            yield kind, left, right, WRITTEN[type(operator)], new


def swapped_operands(node: ast.AST, text: Callable) -> Edits:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ORDERED):
        whole = ast.Name | ast.Constant | ast.Call | ast.Attribute | ast.Subscript
        left, right = (text(side) if isinstance(side, whole) else f"({text(side)})" for side in (node.left, node.right))
        yield "swapped arguments", node, f"({right} {WRITTEN[type(node.op)]} {left})"


def swapped_arguments(node: ast.AST, text: Callable) -> Edits:
    """Swap each pair of neighbours among the arguments of a call, or in a tuple."""
    if isinstance(node, ast.Call):
        items, around = node.args, (text(node.func) + "(", ")")
        rest = [f"{k.arg}={text(k.value)}" if k.arg else f"**{text(k.value)}" for k in node.keywords]
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        items, around, rest = node.elts, ("(", ")"), []
    else:
        return
    texts = [text(item) for item in items]
    if isinstance(node, ast.Call) and around[0].rstrip("(").rsplit(".", 1)[-1] in SYMMETRIC:
        return
    for i in range(len(texts) - 1):
        if texts[i] != texts[i + 1]:
            other = [*texts[:i], texts[i + 1], texts[i], *texts[i + 2 :], *rest]
            yield "swapped arguments", node, around[0] + ", ".join(other) + around[1]


def constant(node: ast.AST, text: Callable) -> Edits:
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield "constant", node, str(not value)
    elif isinstance(value, int):
        yield "constant", node, str(value + 1)
        if value > 0:
            yield "constant", node, str(value - 1)
    elif isinstance(value, float):
        yield "constant", node, repr(1.1 * value if value and math.isfinite(value) else 1.0)
    elif isinstance(value, str):
        yield "constant", node, repr("_" + value)


def boundary(node: ast.AST, text: Callable) -> Edits:
    """Let slices and ranges begin or end one too late or too early."""
    if isinstance(node, ast.Slice):
        for end in (node.lower, node.upper):
            if end is not None and not isinstance(end, ast.Constant):
                yield "boundary", end, f"({text(end)}) + 1"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("range", "arange"):
        for end in node.args[:2]:
            if not isinstance(end, ast.Constant):
                yield "boundary", end, f"({text(end)}) - 1"


def axis(node: ast.AST, text: Callable) -> Edits:
    if isinstance(node, ast.keyword) and node.arg in AXIS and isinstance(node.value, ast.Name):
        for other in ("0", "-1", "None"):
            yield "axis", node.value, other
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "axis", node, text(node.value)


def sign(node: ast.AST, text: Callable) -> Edits:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield "sign" if isinstance(node.op, ast.USub) else "comparison", node, f"({text(node.operand)})"


def condition(node: ast.AST, text: Callable) -> Edits:
    """Negate a condition that is a plain value. The operators' rule changes comparisons."""
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare | ast.UnaryOp | ast.BoolOp):
        yield "comparison", node.test, f"(not {text(node.test)})"


def opposite(node: ast.AST, text: Callable) -> Edits:
    """Replace min by max, any by all, and so on."""
    if isinstance(node, ast.Name) and node.id in OPPOSITES:
        yield "comparison", node, OPPOSITES[node.id]
    if isinstance(node, ast.Attribute) and node.attr in OPPOSITES:
        yield "comparison", node, f"{text(node.value)}.{OPPOSITES[node.attr]}"


def dtype(node: ast.AST, text: Callable) -> Edits:
    """Use another float type, or leave the dtype out."""
    if isinstance(node, ast.Attribute) and node.attr in ("float32", "float64"):
        yield "wrong dtype", node, f"{text(node.value)}.{'float64' if node.attr == 'float32' else 'float32'}"
    if isinstance(node, ast.Call):
        without = [k for k in node.keywords if k.arg != "dtype"]
        if len(without) < len(node.keywords):
            arguments = [text(a) for a in node.args] + [f"{k.arg}={text(k.value)}" for k in without if k.arg]
            yield "wrong dtype", node, f"{text(node.func)}({', '.join(arguments)})"
        if isinstance(node.func, ast.Attribute) and node.func.attr == "astype":
            yield "wrong dtype", node, text(node.func.value)
        if isinstance(node.func, ast.Name) and node.func.id in CONVERSIONS and len(node.args) == 1 and not node.keywords:
            yield "wrong dtype", node, f"({text(node.args[0])})"


def removed(node: ast.AST, text: Callable) -> Edits:
    """Remove a statement, unless that can only cause a NameError, which tells nothing about the checks."""
    simple = ast.Expr | ast.Assign | ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete
    if isinstance(node, simple) and not _is_docstring(node) and not _only_defines_names(node):
        yield "removed statement", node, "pass"
    if isinstance(node, ast.If):
        for statement in node.body:
            if isinstance(statement, ast.Return):
                yield "removed statement", statement, "pass"


def _only_defines_names(node: ast.AST) -> bool:
    """Is it `y = ...` without y on the right?"""
    if not isinstance(node, ast.Assign):
        return False
    stored = {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    read = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
    plain = all(isinstance(n, ast.Name | ast.Tuple) for target in node.targets for n in [target, *getattr(target, "elts", [])])
    return plain and not stored & read


RULES = (
    swapped_operands, swapped_arguments, constant, boundary, axis, sign, condition, opposite, dtype, removed,
)  # fmt: skip


def _careless_edits(tree: ast.Module, span: _Span, begin: int, end: int) -> Iterator[tuple[str, int, int, str]]:
    """Let functions return another dtype, or change an input after using it. The helpers are in runner.py."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.end_lineno < begin or function.lineno > end:
            continue
        own = list(_own_nodes(function))
        if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own):
            continue
        returns = [n for n in own if isinstance(n, ast.Return) and n.value is not None and begin < n.lineno < end]
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args) if a.arg not in ("self", "op", "cls")]
        names += [function.args.vararg.arg] if function.args.vararg else []
        for value in (node.value for node in returns):
            start, stop = span(value)
            for name in names:
                yield "input changed", start, stop, f"after_changing({span.text(value)}, {name})"
            yield "wrong dtype", start, stop, f"in_another_dtype({span.text(value)})"
        if not returns and function.lineno < begin:
            place = span.starts[end - 1]
            indent = span.lines[end - 1][: len(span.lines[end - 1]) - len(span.lines[end - 1].lstrip())]
            for name in names:
                yield "input changed", place, place, f"{indent}after_changing(None, {name})\n"


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions inside it."""
    waiting = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
