# Kills its own process.
# 0 points: its process ended in cell double
import os

os.kill(os.getpid(), 9)
