"""The training step in plain NumPy, written like the textbook: the oracle of the
compiled path.
"""
