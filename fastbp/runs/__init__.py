"""The run folder: what a run leaves, how it is described and compared."""
