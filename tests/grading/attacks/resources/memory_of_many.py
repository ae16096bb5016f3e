# Takes all memory, in many processes, each within its own limit.
# 0 points: out of memory
import os
import time

for _ in range(8):
    if os.fork() == 0:
        hoard = bytearray(b"x") * (200 << 20)
        time.sleep(60)
time.sleep(60)
