"""Labelled data from names, files, folders and arrays."""
