# Is a notebook without a cell.
# 0 points: 01_setup.ipynb has no cells
def hand_in(notebook):
    return {**notebook, "cells": []}
