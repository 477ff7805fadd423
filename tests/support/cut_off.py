"""A run that ends at some chunk as if it had been killed."""

from fastbp import Callback


class Killed(Exception):
    pass


class Killer(Callback):
    """Ends the run at the n-th chunk."""

    def __init__(self, chunks):
        self.left = chunks

    def on_chunk(self, chunk):  # noqa: ARG002
        self.left -= 1
        if self.left < 0:
            raise Killed
