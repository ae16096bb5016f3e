"""Words to calls, values to text: a command computes nothing."""
