"""What a comparison is: the plan of jobs, their runner, the stored results, controls and tables."""
