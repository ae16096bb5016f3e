# Stops its own process.
# 0 points: timed out, and did not stop when interrupted in cell double
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
