"""Which submissions of a module are alike beyond what the task explains: a reason to look, and no verdict."""
