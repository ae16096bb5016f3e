# Hands in a folder without a notebook.
# 0 points: no 01_setup.ipynb was handed in
def beside(folder):
    (folder / "01_setup.ipynb").unlink()
    (folder / "readme.txt").write_text("see my other repository")
