"""Everything that decides a training run: the settings and what they name."""
