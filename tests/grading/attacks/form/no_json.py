# Is not JSON.
# 0 points: 01_setup.ipynb is not a notebook: its JSON cannot be read
def hand_in(notebook):
    return b'{"nbformat": 4, "cells": ['
