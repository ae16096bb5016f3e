# Sends messages of a gigabyte, and a thousand pictures.
# 0 points: .*
from IPython.display import display

for _ in range(100):
    display({"image/png": "A" * 10_000_000, "text/plain": "A" * 10_000_000}, raw=True)
print("x" * (1 << 30))
