"""Small runs of `fastbp.train`, and the hash of all that they leave behind but times."""

import hashlib
from dataclasses import asdict

import clusters
import fastbp

IMAGES, LABELS = clusters.arrays(203, 64, 10)
IMAGES = IMAGES.reshape(-1, 8, 8)

PLAIN = {"hidden": (67, 17), "epochs": 2, "batch_size": 19, "validation": 0.2, "threads": 1}
RICH = PLAIN | {
    "augment": "elastic",
    "dropout": 0.2,
    "input_dropout": 0.1,
    "batch_norm": True,
    "optimizer": "adamw",
    "ema": 0.9,
    "clip_norm": 1.0,
    "label_smoothing": 0.1,
    "activation": "gelu",
    "schedule": "cosine",
    "stop": ("patience:3",),
}
RUNS = {"plain": PLAIN, "rich": RICH}


def outcome(result, images):
    """Parameters, history without times, and predictions, as bytes."""
    told = [
        [(name, value) for name, value in asdict(record).items() if "seconds" not in name]
        for record in result.history
    ]
    answers = fastbp.predict(result.network, images)
    return [repr(told).encode(), result.network.parameters.tobytes(), answers.tobytes()]


def hash_of(settings, images=IMAGES, labels=LABELS):
    result = fastbp.train((images, labels), **settings)
    return hashlib.sha256(b"".join(outcome(result, images))).hexdigest()


def hashes(**changes):
    """The hash of each run, with some settings changed."""
    return [hash_of(settings | changes) for settings in RUNS.values()]
