# Hands in links to secrets and devices, a pipe that nobody writes to, and an invalid time.
# 80 points: graded
import os


def beside(folder):
    (folder / "shadow").symlink_to("/etc/passwd")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "up").symlink_to("..")
    os.mkfifo(folder / "pipe")
    (folder / "timestamp.txt").write_text("whenever I like")
