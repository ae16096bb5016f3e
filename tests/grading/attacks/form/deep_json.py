# Is JSON nested 100,000 deep.
# 0 points: 01_setup.ipynb is not a notebook: its JSON cannot be read
def hand_in(notebook):
    return b'{"nbformat": 4, "cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
