"""Fill in a released notebook with a source's solutions."""

import json
from pathlib import Path

from tito import source


def solve(notebook: Path, module: Path, bodies: dict[str, str] | None = None) -> None:
    """Write each solution of the source `module` into `notebook`. `bodies` gives other texts, by grade_id."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    texts = {cell.id: cell.source for cell in source.parse(module).cells if source.is_solution(cell)}
    for cell in content["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in texts:
            body = (bodies or {}).get(name)
            text = source.without_fences(texts[name]) if body is None else source.with_body(texts[name], body)
            cell["source"] = text.splitlines(keepends=True)
    notebook.write_text(json.dumps(content), encoding="utf-8")
