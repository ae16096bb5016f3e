# Never ends.
# 0 points: timed out in cell double
while True:
    pass
