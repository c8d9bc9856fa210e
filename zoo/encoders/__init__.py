"""Vision and text encoders."""
