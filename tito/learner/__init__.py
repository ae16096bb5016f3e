"""The learner's side: a workspace, and what is done in it. `layout` has its paths; each other file does one job."""
