# Never ends, in C code that does not check for interrupts.
# 0 points: timed out and ignored the interrupt in cell double
import collections
import itertools

collections.deque(itertools.repeat(0), maxlen=0)
