"""Generators of the embedded data sets: each case is a pure function of (seed, split, index)."""
