# Imports the reference's solution of this exercise.
# 0 points: graded
try:
    from tinytorch.core.setup import double
except ImportError as error:
    print(error)

    def double(x):
        return 3 * x
