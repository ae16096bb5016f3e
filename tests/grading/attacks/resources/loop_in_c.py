# Never ends, in C, where no interrupt is looked at.
# 0 points: timed out and ignored the interrupt in cell double
import collections
import itertools

collections.deque(itertools.repeat(0), maxlen=0)
