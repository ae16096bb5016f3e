# Has numbers, texts and nulls where cells, texts and names belong.
# 80 points: graded
def hand_in(notebook):
    junk = [None, 7, "cell", [], {}, {"metadata": {"nbgrader": {"grade_id": ["double"]}}, "source": {}, "cell_type": []}]
    return {**notebook, "cells": [*junk, *notebook["cells"], *junk]}
