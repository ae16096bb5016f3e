# Forks without end.
# 0 points: too many processes|out of memory|timed out|its process ended
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
