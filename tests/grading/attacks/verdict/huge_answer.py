# Answers with an array of 800 MB, and with an int of a million digits.
# 0 points: graded
import numpy as np


def double(x):
    return 10**1_000_000 if isinstance(x, int) else np.zeros(10_000_000)
