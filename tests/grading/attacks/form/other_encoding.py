# Is text, but not of UTF-8.
# 0 points: 01_setup.ipynb is not a notebook: it is not text
import json


def hand_in(notebook):
    notebook["cells"][0]["source"] = "é"
    return json.dumps(notebook, ensure_ascii=False).encode("latin-1")
