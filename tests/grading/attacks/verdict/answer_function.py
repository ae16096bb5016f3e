# Replaces the function that sends an answer by one that sends nothing.
# 0 points: graded
import tito.grading

tito.grading.answer = lambda *args, **kwargs: None


def double(x):
    return 3 * x
