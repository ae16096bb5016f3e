# Is a notebook of format 3, with worksheets.
# 0 points: 01_setup.ipynb is not a notebook of format 4
def hand_in(notebook):
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": notebook["cells"]}]}
