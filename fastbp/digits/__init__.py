"""Ink on paper or screen to images like MNIST's."""
