# Returns the wrong shape with values that would broadcast.
# 0 points: graded
import numpy as np


def double(x):
    return 3 * x if isinstance(x, int) else 2 * x.reshape(1, -1)
