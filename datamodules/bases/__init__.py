"""Base classes of the data sets."""
