# Sends answers in the name of another request, and malformed messages.
# 0 points: graded|tampered|sent a message
from IPython import get_ipython

kernel = get_ipython().kernel


def double(x):
    for parent in ({}, {"header": {"msg_id": "1"}}, kernel.get_parent()):
        for content in ({"data": {"application/vnd.tinytorch.answer+json": "[]"}}, {"data": 3}, {}):
            kernel.session.send(kernel.iopub_socket, "display_data", content, parent=parent)
    return 3 * x
