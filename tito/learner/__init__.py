"""The learner's commands, in a workspace. `layout` has its paths; each other file does one job."""
