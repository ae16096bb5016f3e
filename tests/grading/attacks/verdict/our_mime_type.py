# Publishes answers of the judge's own MIME type from its solution cell.
# 0 points: graded
import numpy as np
from tito.grading import answer

answer(2 * np.arange(3.0))
answer(-14)


def double(x):
    return 3 * x
