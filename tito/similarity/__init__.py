"""Find submissions that are more alike than the task explains. This is a reason to look, not a verdict."""
