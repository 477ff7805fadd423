"""Data that fastbp carries: MNIST as gzipped IDX files in ``mnist/`` (see data/README.md)."""
