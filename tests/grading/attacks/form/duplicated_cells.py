# Has every cell twice, the second time with another text.
# 0 points: cell double appears 2 times with different text
def hand_in(notebook):
    again = [{**cell, "source": f"{cell['source']}\n"} for cell in notebook["cells"]]
    return {**notebook, "cells": notebook["cells"] + again}
