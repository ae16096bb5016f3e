# Is an empty file.
# 0 points: no 01_setup.ipynb was handed in: the file is empty
def hand_in(notebook):
    return b""
