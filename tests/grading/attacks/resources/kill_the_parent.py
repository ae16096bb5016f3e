# Kills whoever started it, its whole group, and all that it may.
# 0 points: its process ended in cell double
import os

for target in (os.getppid(), 0, -1):
    try:
        os.kill(target, 9)
    except OSError:
        pass
os._exit(1)
