"""A run: the Lightning command line, the folder of a run, and what a run costs."""
