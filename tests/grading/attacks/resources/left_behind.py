# Leaves a thread and a process behind that keep running after it is graded.
# 80 points: graded
import subprocess
import sys
import threading
import time


def work():
    while True:
        time.sleep(0.1)


threading.Thread(target=work).start()
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)


def double(x):
    return 2 * x
