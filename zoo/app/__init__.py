"""A local page: an image is dropped, a sentence is typed, and the masks of two sentences are seen side by side."""
