"""Text: prompt files, text controls, model inputs, left and right, lung zones."""
