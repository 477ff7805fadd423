"""Images of handwritten digits, prepared like those of MNIST."""
