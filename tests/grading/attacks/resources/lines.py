# Prints without end, line by line.
# 0 points: too many messages in cell double
while True:
    print("again", flush=True)
