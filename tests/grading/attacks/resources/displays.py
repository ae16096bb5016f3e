# Displays a million things.
# 0 points: too many messages in cell double
from IPython.display import display

for number in range(1_000_000):
    display(number)
