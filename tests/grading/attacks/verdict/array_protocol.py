# Returns an object whose __array__ returns another array at each call.
# 0 points: graded
import numpy as np


class Fickle:
    count = 0

    def __array__(self, *args, **kwargs):
        Fickle.count += 1
        return np.arange(3.0) * Fickle.count


def double(x):
    return 3 * x if isinstance(x, int) else Fickle()
