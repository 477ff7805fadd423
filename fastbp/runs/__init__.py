"""The run folder: its files, and how runs are described and compared."""
