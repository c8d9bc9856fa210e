"""Text: what is said to a model (`prompts`) and how it is encoded (`encoders`)."""
