# Exits at once.
# 0 points: its process ended in cell double
import os

os._exit(0)
