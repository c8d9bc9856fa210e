"""Network blocks that two or more competitors share."""
