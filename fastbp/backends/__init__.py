"""The two paths that run the arithmetic of training, behind one interface."""
