"""What the course builds: one file a module, each exported from modules/NN_name.py."""
