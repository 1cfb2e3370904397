"""The checks: each file is one, and there is no list of them elsewhere."""
