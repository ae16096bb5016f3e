# Starts threads without end.
# 0 points: too many processes|out of memory|timed out|its process ended|tampered
import threading
import time

while True:
    try:
        threading.Thread(target=time.sleep, args=(100,)).start()
    except RuntimeError:
        time.sleep(0.01)
