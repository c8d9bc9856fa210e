"""The laws by which the embedded data sets are drawn: pure functions of (seed, split, index)."""
