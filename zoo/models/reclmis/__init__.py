"""RecLMIS: the deepest map rebuilt from the words of the report, and trained to reconstruct both."""
