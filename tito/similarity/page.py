"""Show the pairs side by side, on a page that loads and runs nothing. All text from submissions is escaped."""

from html import escape

from tito.similarity.comparing import NO_VERDICT, Comparison, Pair, Submission

MOST_LINES, MOST_COLUMNS = 400, 300  # of one cell that are shown

HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 1400px; padding: 0 1em; color: #222; background: #fff;
overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2em 1em .2em 0; text-align: left; vertical-align: top; }}
th {{ overflow-wrap: normal; }} td + td {{ min-width: 5em; }} td + td + td {{ min-width: 8em; }}
.note {{ border-left: 4px solid #b60; padding: .5em 1em; background: #fff3e0; font-size: 17px; }}
.side {{ display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1em; }}
pre {{ background: #f6f6f6; padding: .6em; overflow-x: auto; font-size: 13px; line-height: 1.4; margin: .3em 0; }}
mark {{ background: #ffe08a; color: inherit; }}
@media (max-width: 700px) {{ .side {{ grid-template-columns: minmax(0, 1fr); }} }}
@media (prefers-color-scheme: dark) {{
body {{ color: #ddd; background: #181818; }} a {{ color: #8cb4ff; }} a:visited {{ color: #c6a6ff; }}
.note {{ background: #33260f; }} pre {{ background: #262626; }} mark {{ background: #5a4700; }}
}}
</style></head><body>
"""


def page(found: Comparison) -> str:
    """Return the whole page as HTML."""
    title = f"{found.module}: which submissions are alike"
    parts = [HEAD.format(title=escape(title)), f"<h1>{escape(title)}</h1>", f'<p class="note">{escape(NO_VERDICT)}</p>']
    parts.append(
        f"<p>{found.submissions} submissions were compared. Given code does not count, nor does code that the reference or most "
        "of the class has. Rare code counts most. Marked lines contain code that both have.</p>"
    )
    rows = [
        f'<tr><td><a href="#pair-{n}">{_name(p.first)} and {_name(p.second)}</a></td>'
        f"<td>{p.likeness:.0%}</td><td>{_cells(p)}</td></tr>"
        for n, p in enumerate(found.pairs, 1)
    ]
    parts.append("<table><tr><th>pair</th><th>likeness</th><th>where</th></tr>" + "".join(rows) + "</table>")
    parts += [_pair(n, pair) for n, pair in enumerate(found.pairs, 1)]
    left = "".join(f"<tr><td>{escape(name)}</td><td>{escape(why)}</td></tr>" for name, why in found.left_out.items())
    parts.append(f"<h2>Not compared</h2><table>{left}</table>" if left else "")
    return "\n".join(parts) + "\n</body></html>\n"


def _name(one: Submission) -> str:
    return escape(one.student)


def _cells(pair: Pair) -> str:
    return ", ".join(f"{escape(name)} {share:.0%}" for name, share in pair.cells.items())


def _pair(number: int, pair: Pair) -> str:
    first, second = pair.first, pair.second
    parts = [f'<h2 id="pair-{number}">{_name(first)} and {_name(second)}: {pair.likeness:.0%}</h2>']
    for cell, share in pair.cells.items():
        sides = "".join(f"<div>{_name(one)}{_code(one.texts[cell], pair.lines(one, cell))}</div>" for one in (first, second))
        parts.append(f'<h3>{escape(cell)} ({share:.0%} of it)</h3><div class="side">{sides}</div>')
    return "\n".join(parts)


def _code(text: str, marked: set[int]) -> str:
    lines = text.split("\n")
    shown = [_line(line, number in marked) for number, line in enumerate(lines[:MOST_LINES], 1)]
    if len(lines) > MOST_LINES:
        shown.append(f"… and {len(lines) - MOST_LINES} more lines")
    return "<pre>" + "\n".join(shown) + "</pre>"


def _line(line: str, marked: bool) -> str:
    """Return one line as HTML. Invisible characters are made visible, so that none can move or hide another."""
    cut = line[:MOST_COLUMNS] + ("…" if len(line) > MOST_COLUMNS else "")
    text = escape("".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in cut))
    return f"<mark>{text}</mark>" if marked else text
