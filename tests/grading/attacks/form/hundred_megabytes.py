# Is 100 MB large.
# 0 points: 01_setup.ipynb is larger than 20 MB
def hand_in(notebook):
    return b" " * (100 << 20)
