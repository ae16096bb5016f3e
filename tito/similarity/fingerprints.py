"""Compute the fingerprints of a text: hashes of runs of tokens, which do not depend on the names of variables.

This is winnowing (Schleimer, Wilkerson and Aiken, Winnowing: Local Algorithms for Document Fingerprinting, SIGMOD 2003): of
every `WINDOW` runs of `RUN` tokens in a row the smallest hash is kept, so that texts which share `RUN + WINDOW - 1` tokens
share a fingerprint. A run ends with its statement, so the order of statements does not matter. Nothing is parsed, so any
text can be used.
"""

import io
import keyword
import tokenize
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

RUN, WINDOW = 5, 4
OPENING, CLOSING = "([{", ")]}"
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
FSTRING_START, FSTRING_END = (getattr(tokenize, f"FSTRING_{end}", -1) for end in ("START", "END"))
AUGMENTED = {"=", "+=", "-=", "*=", "/=", "//=", "%=", "@=", "&=", "|=", "^=", ">>=", "<<=", "**="}


@dataclass(frozen=True)
class Word:
    """A token: its text, whether it is a name, and its line."""

    text: str
    is_name: bool
    line: int


Statement = list[Word]


def statements(text: str) -> list[Statement]:
    """Return the statements of a text as tokens, without comments, layout and docstrings, up to the first invalid token."""
    found, current = [], []
    for word in _words(text):
        if word is None:
            found.append(current)
            current = []
        else:
            current.append(word)
    return [s for s in [*found, current] if s and any(word.text != '""' for word in s)]


def _words(text: str) -> Iterator[Word | None]:
    """Yield tokens, and None at the end of each statement. Every string gives the same token."""
    depth = 0  # of nested f-strings
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == FSTRING_START:
                depth += 1
            if token.type == FSTRING_END:
                depth -= 1
            if depth or token.type in LAYOUT:
                continue
            if token.type == tokenize.NEWLINE or token.string == ";":
                yield None
            elif token.type in (tokenize.STRING, FSTRING_END):
                yield Word('""', False, token.start[0])
            elif token.type == tokenize.NUMBER:
                yield Word(_number(token.string), False, token.start[0])
            else:
                name = token.type == tokenize.NAME and not keyword.iskeyword(token.string)
                yield Word(token.string, name, token.start[0])
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        return


def _number(text: str) -> str:
    """Write a number in one form: `1.0`, `1.` and `1e0` are the same."""
    try:
        return repr(float(text.replace("_", "")))
    except (ValueError, OverflowError):
        return text


def bound_names(found: Iterable[Statement]) -> set[str]:
    """Return the names that a text defines: variables, parameters, functions. An author can choose them freely."""
    names: set[str] = set()
    for statement in found:
        depth, last = 0, -1
        for place, word in enumerate(statement):
            depth += (word.text in OPENING) - (word.text in CLOSING)
            if word.text in AUGMENTED and depth == 0:
                last = place
            after = statement[place + 1 : place + 2]
            if word.text in ("def", "class", "as"):
                names |= {w.text for w in after if w.is_name}
            if word.text in ("def", "lambda"):
                names |= _parameters(statement[place + 1 :], word.text == "def")
            if word.text == "for":
                names |= {w.text for w in _until(statement[place + 1 :], "in") if w.is_name}
            if word.is_name and after and after[0].text == ":=":
                names.add(word.text)
        attributes = {id(b) for a, b in pairwise(statement) if a.text == "."}
        names |= {w.text for w in statement[: last + 1] if w.is_name and id(w) not in attributes}
    return names - {"self", "cls"}


def _parameters(rest: Statement, is_def: bool) -> set[str]:
    """Return the names of parameters: those after a bracket, a comma or a star, up to the colon or the closing bracket."""
    names, depth, before = set(), 0, "(" if not is_def else ""
    for word in rest:
        depth += (word.text in OPENING) - (word.text in CLOSING)
        if depth == 0 and word.text in (")", ":"):
            break
        if word.is_name and before in ("(", ",", "*", "**"):
            names.add(word.text)
        before = word.text
    return names


def _until(rest: Statement, end: str) -> Statement:
    return rest[: next((i for i, word in enumerate(rest) if word.text == end), 0)]


def normalise(statement: Statement, bound: set[str]) -> list[tuple[str, int]]:
    """Return (token, line) pairs without matters of taste: names, round brackets, a last comma."""
    words = []
    for place, word in enumerate(statement):
        before = statement[place - 1].text if place else ""
        after = statement[place + 1].text if place + 1 < len(statement) else ""
        keyword_argument = after == "=" and before in ("(", ",")
        if word.text in "()" or (word.text == "," and (not after or after in CLOSING)):
            continue
        mine = word.is_name and word.text in bound and before != "." and not keyword_argument
        words.append(("_" if mine else word.text, word.line))
    return words


def fingerprints(words: list[tuple[str, int]]) -> dict[int, set[int]]:
    """Return the fingerprints of one statement, each with its lines."""
    if not words:
        return {}
    length = min(RUN, len(words))
    runs = [words[i : i + length] for i in range(len(words) - length + 1)]
    hashes = [zlib.crc32("\0".join(word for word, _ in run).encode()) for run in runs]
    windows = (range(i, min(i + WINDOW, len(runs))) for i in range(max(1, len(runs) - WINDOW + 1)))
    found: dict[int, set[int]] = {}
    for i in {min(window, key=hashes.__getitem__) for window in windows}:
        found.setdefault(hashes[i], set()).update(line for _, line in runs[i])
    return found
