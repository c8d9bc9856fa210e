"""From scores to a ranking: rows, statistics and the comparability check."""
