"""From files to batches: prepared cases, data sets, samplers and the loader."""
