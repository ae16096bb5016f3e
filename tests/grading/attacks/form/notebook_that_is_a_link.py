# Hands in a link to another student's notebook instead of its own.
# 0 points: 01_setup.ipynb is a link, a folder or a device, not a file
def beside(folder):
    (folder / "01_setup.ipynb").unlink()
    (folder / "01_setup.ipynb").symlink_to(folder.parent.parent / "0_first" / "01_setup" / "01_setup.ipynb")
