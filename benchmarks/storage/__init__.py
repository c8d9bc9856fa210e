"""What a benchmark keeps on disk."""
