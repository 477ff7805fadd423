"""Testing and predicting with a trained network."""
