"""What a data set has before an image is opened: card, cases, splits, checks."""
