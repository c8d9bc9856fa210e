"""Lightning callbacks of a run: records, checkpoints, random states, scores, predictions, pictures, progress."""
