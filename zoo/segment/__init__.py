"""A trained model on new images, without the data set of its training."""
