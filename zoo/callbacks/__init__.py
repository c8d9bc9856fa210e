"""What surrounds training: records, checkpoints, random states, scores and predictions on disk, progress."""
