# Replaces the kernel's process by one of its own that answers the same sockets.
# 0 points: its process ended|timed out|tampered|did not answer
import os
import sys

import ipykernel

path = ipykernel.get_connection_file()
os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", "-f", path, "--HistoryManager.enabled=False"])
