# Returns an array that lies about its shape, its type, its values and its equality.
# 0 points: graded
import numpy as np


class Liar(np.ndarray):
    shape = property(lambda self: (3,))
    dtype = property(lambda self: np.dtype("float64"))
    tobytes = lambda self, *args: (2 * np.arange(3.0)).tobytes()

    def __eq__(self, other):
        return True

    def __array__(self, *args, **kwargs):
        return 2 * np.arange(3.0)


def double(x):
    return 3 * x if isinstance(x, int) else np.zeros(3).view(Liar)
