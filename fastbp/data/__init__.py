"""Data sets from names, files, folders and arrays."""
