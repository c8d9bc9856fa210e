"""Scores the label images of any program: finds the file of each case, reads it, and compares it with the label."""
