"""Tables of a benchmark and the writers of their formats."""
