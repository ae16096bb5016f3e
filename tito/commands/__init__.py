"""The commands: each turns words into a call and a value into text, and computes nothing itself."""
