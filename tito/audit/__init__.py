"""Are the checks any good? Mistakes made by rule in every solution, and which of them cost no point."""

NO_EFFECT = "no effect"  # what became of a mutant that cannot do anything in its place: it is none
