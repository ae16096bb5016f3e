# Matches a regular expression that takes years, in C.
# 0 points: timed out in cell double
import re

re.match("(a+)+$", "a" * 60 + "b")
