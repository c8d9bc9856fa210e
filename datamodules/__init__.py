"""What data is: one short file a data set on a common base that indexes, verifies, splits, prepares and samples."""
