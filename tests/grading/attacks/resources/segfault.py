# Reads from an invalid address.
# 0 points: its process ended in cell double
import ctypes

ctypes.string_at(0)
