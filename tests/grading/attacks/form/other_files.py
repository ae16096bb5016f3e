# Hands in a numpy.py, a sitecustomize.py, a second notebook and a nbgrader_config.py beside its own.
# 80 points: graded
def beside(folder):
    for name in ("numpy.py", "sitecustomize.py", "nbgrader_config.py", "conftest.py", "tito.py"):
        (folder / name).write_text("raise SystemExit('pwned')")
    (folder / "02_tensor.ipynb").write_text("{}")
    (folder / "01_setup.ipynb.bak").write_text("{")
