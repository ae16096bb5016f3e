# Prints 20,000 lines.
# 80 points: graded
for number in range(20_000):
    print(number)


def double(x):
    return 2 * x
