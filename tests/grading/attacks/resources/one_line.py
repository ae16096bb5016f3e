# Prints one line of 50 million letters.
# 80 points: graded
print("x" * 50_000_000)


def double(x):
    return 2 * x
