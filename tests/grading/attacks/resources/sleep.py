# Sleeps past the limit.
# 0 points: timed out in cell double
import time

time.sleep(1000)
