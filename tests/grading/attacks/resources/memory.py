# Takes all memory, in one process.
# 0 points: graded|out of memory|its process ended|timed out
hoard = [bytearray(b"x") * (64 << 20) for _ in range(1000)]
