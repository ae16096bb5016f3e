# Replaces the function that hands an answer in by one that hands in nothing.
# 0 points: graded
import tito.grading

tito.grading.answer = lambda *args, **kwargs: None


def double(x):
    return 3 * x
