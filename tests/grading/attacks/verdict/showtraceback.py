# Makes IPython show no traceback.
# 0 points: graded
from IPython import get_ipython

get_ipython().showtraceback = lambda *args, **kwargs: None


def double(x):
    return 3 * x
