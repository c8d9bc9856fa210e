"""LViT: its network and its transformer."""
