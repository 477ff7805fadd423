"""From data and settings to a trained network."""
