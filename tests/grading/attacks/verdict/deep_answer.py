# Answers with lists nested 10,000 deep, and sends such a message by hand.
# 0 points: graded
from IPython.display import publish_display_data


def double(x):
    text = '{"kind": "list", "items": [' * 10_000 + "]}" * 10_000
    message = '{"about": "", "rtol": 1e9, "atol": 1e9, "value": ' + text + "}"
    publish_display_data({"application/vnd.tinytorch.answer+json": message})
    nested = []
    for _ in range(10_000):
        nested = [nested]
    return nested
