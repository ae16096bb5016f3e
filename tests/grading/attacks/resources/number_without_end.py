# Computes a number that fills all memory and takes years.
# 0 points: timed out in cell double|graded
x = 9 ** 9 ** 9
