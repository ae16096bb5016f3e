# Fills the folder of its sockets, the only one on disk that it can write to, with small files.
# 0 points: it wrote into the folder of the kernel's sockets
import os
import time

import ipykernel

os.chdir(os.path.dirname(ipykernel.get_connection_file()))
for number in range(3000):
    open(f"file{number}", "w").close()
time.sleep(2)
