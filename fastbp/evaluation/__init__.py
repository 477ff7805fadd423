"""Evaluation and prediction with a trained network."""
