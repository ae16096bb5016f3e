# Kills its parent, its process group, and every process that it can.
# 0 points: its process ended in cell double
import os

for target in (os.getppid(), 0, -1):
    try:
        os.kill(target, 9)
    except OSError:
        pass
os._exit(1)
