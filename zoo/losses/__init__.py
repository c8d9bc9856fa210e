"""Loss functions: segmentation, image-text contrast, and gathering over ranks."""
