"""What a data set holds: statistics, mean shape and contact sheets."""
