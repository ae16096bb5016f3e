# States that it was handed in long before the course began.
# 80 points: graded
def beside(folder):
    (folder / "timestamp.txt").write_text("0001-01-01 00:00:00 UTC\n")
