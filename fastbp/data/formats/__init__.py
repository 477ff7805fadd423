"""Readers of file formats, a module for each."""
