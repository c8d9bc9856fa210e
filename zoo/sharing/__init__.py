"""Packs a trained run for others: weights, configuration, prompts, scores, licence and model card."""
