# Answers with an array of objects that are equal to everything.
# 0 points: graded
import numpy as np


class Equal:
    def __eq__(self, other):
        return True


def double(x):
    return 3 * x if isinstance(x, int) else np.array([Equal(), Equal(), Equal()], dtype=object)
