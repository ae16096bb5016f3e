# Is a notebook of a format that does not exist yet.
# 0 points: 01_setup.ipynb is not a notebook of format 4
def hand_in(notebook):
    return {**notebook, "nbformat": 5}
