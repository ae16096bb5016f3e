"""Test the checks: put mistakes into every solution by rule, and find those that cost no point."""

NO_EFFECT = "no effect"  # the result of a mutant that changes nothing, and so does not count
