# Overflows the stack of C.
# 0 points: its process ended in cell double|graded
import sys

sys.setrecursionlimit(10**9)


class Deep:
    def __repr__(self):
        return repr(self)


f = lambda: f()
repr(Deep())
f()
