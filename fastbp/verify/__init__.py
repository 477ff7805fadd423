"""Both paths side by side, with bounds on how far apart they may be."""
