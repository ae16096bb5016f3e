# Is a program with the right name.
# 0 points: 01_setup.ipynb is not a notebook: it is not text
import sys


def hand_in(notebook):
    with open(sys.executable, "rb") as program:
        return program.read(1 << 20)
