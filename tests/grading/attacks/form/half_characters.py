# Has half a character in its code, its essay and its names.
# 80 points: graded
def hand_in(notebook):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") in ("double", "half_reflect"):
            cell["source"] += "\nprint('\ud800')"
    notebook["metadata"]["\udfff"] = "\ud800"
    return notebook
