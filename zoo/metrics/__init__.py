"""What a number means: scores of one case and class, and their means over cases. No torch but in `pooled`."""
