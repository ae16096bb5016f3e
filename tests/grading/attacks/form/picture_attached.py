# Shows an attached picture in its essay, and does not attach it: nbconvert raises an error on that.
# 80 points: graded
def hand_in(notebook):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "half_reflect":
            cell["source"] = "![my drawing](attachment:image.png) <script>alert(1)</script>"
    return notebook
