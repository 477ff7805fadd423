"""The two backends that run the arithmetic of training, behind one interface."""
