"""TMCA: target-informed multi-level contrastive alignment, a reconstruction from its abstracts."""
