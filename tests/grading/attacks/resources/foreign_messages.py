# Floods the grader with messages that answer none of its requests.
# 0 points: timed out|tampered|too many messages
import threading

from IPython import get_ipython

kernel = get_ipython().kernel


def flood():
    while True:
        kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "x"}, parent={})


threading.Thread(target=flood, daemon=True).start()
while True:
    pass
