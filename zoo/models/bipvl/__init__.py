"""BiPVL-Seg: bidirectional progressive fusion of text and image, with global-local alignment."""
