# Has brackets nested deep, in code that cannot be parsed, and a line of 150,000 operators.
# 0 points: syntax error in cell double
def hand_in(notebook):
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if name in ("double", "half"):
            cell["source"] = {"double": "(" * 190 + "a b" + ")" * 190, "half": "-" * 150_000 + "1"}[name]
    return notebook
