"""What is compared: the jobs of a plan."""
