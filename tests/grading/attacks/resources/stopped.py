# Stops its own process.
# 0 points: timed out and ignored the interrupt in cell double
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
