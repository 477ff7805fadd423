"""Small data that a small network learns in a second: noisy copies of one random image for each class."""

import numpy as np

from fastbp.data.dataset import Dataset


def arrays(samples, pixels=20, classes=4, seed=0, dtype=np.uint8):
    """Images (samples, pixels), bytes or floats in 0..1, and labels."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1234).integers(40, 216, size=(classes, pixels))
    labels = rng.permutation(np.arange(samples) % classes).astype(np.int64)
    images = np.clip(centres[labels] + rng.normal(scale=30, size=(samples, pixels)), 0, 255).astype(np.uint8)
    return (images if dtype == np.uint8 else (images / 255).astype(dtype)), labels


def dataset(samples=103, pixels=20, classes=4, seed=0, dtype=np.uint8):
    images, labels = arrays(samples, pixels, classes, seed, dtype)
    return Dataset(images, labels, (pixels,), classes, "clusters")


def write_npz(path, samples=203, pixels=20, classes=4, with_test=True):
    images, labels = arrays(samples, pixels, classes)
    test_images, test_labels = arrays(60, pixels, classes, seed=1)
    if with_test:
        np.savez(path, x_train=images, y_train=labels, x_test=test_images, y_test=test_labels)
    else:
        np.savez(path, images=images, labels=labels)
    return path
