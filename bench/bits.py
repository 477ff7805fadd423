"""SHA-256 of trained weights for a fixed list of configurations: what a refactoring must leave as it was.

Only the public interface is used, so the same file runs on any two commits::

    python bench/bits.py --json before.json  # on the old commit
    python bench/bits.py --against before.json  # on the new one; exit code 1 if any differs

Hashes depend on the vector width and on the versions of NumPy, Numba and LLVM: compare on one machine only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastbp

SAMPLES, EPOCHS = 3000, 2
Arrays = list[np.ndarray]


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Make images like MNIST's, (SAMPLES, 28, 28) uint8, mostly zero, in ten classes."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 10, SAMPLES)
    strokes = rng.random((10, 28, 28)) < 0.2
    images = (
        rng.integers(40, 256, (SAMPLES, 28, 28)) * strokes[labels] * (rng.random((SAMPLES, 28, 28)) < 0.8)
    )
    return images.astype(np.uint8), labels


TRAININGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "plain, 2 threads": {"threads": 2},
    "plain, float64": {"dtype": "float64"},
    "softmax regression": {"hidden": ()},
    "three layers, odd widths, batch 7": {"hidden": (41, 17, 5), "batch_size": 7},
    "wide, batch 64": {"hidden": (400, 300), "batch_size": 64, "threads": 2},
    "float32 inputs": {"inputs": np.float32},
    "float64 inputs, float64": {"inputs": np.float64, "dtype": "float64"},
    "tanh": {"activation": "tanh"},
    "gelu, 2 threads": {"activation": "gelu", "threads": 2},
    "leaky ReLU": {"activation": "leaky-relu"},
    "momentum": {"optimizer": "momentum", "learning_rate": 0.04},
    "nesterov, l2": {"optimizer": "nesterov", "learning_rate": 0.04, "l2": 1e-4},
    "rmsprop": {"optimizer": "rmsprop", "learning_rate": 1e-3},
    "adamw, weight decay, 2 threads": {
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "threads": 2,
    },
    "clipping": {"clip_norm": 0.5, "clip_value": 0.1},
    "max-norm, averages": {"max_norm": 1.5, "ema": 0.99},
    "dropout": {"dropout": 0.3, "input_dropout": 0.1},
    "batch normalisation": {"batch_norm": True},
    "batch normalisation, adamw, dropout, 2 threads": {
        "batch_norm": True,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "dropout": 0.2,
        "threads": 2,
    },
    "label smoothing, class weights": {"label_smoothing": 0.1, "class_weight": "balanced"},
    "affine": {"augment": "affine"},
    "elastic, 2 threads": {"augment": "elastic", "threads": 2},
    "ciresan, input dropout": {"augment": "ciresan", "input_dropout": 0.1},
    "one-cycle, warm-up, restored best": {
        "schedule": "one-cycle",
        "warmup": 0.5,
        "restore_best": True,
        "stop": "patience:1",
    },
    "sample weights": {"sample_weight": np.linspace(0.5, 1.5, SAMPLES)},
    "NumPy path": {"backend": "numpy", "threads": 1},
}
"""Keywords of `fastbp.train`; `inputs` is the type that images are made into first."""


def train(images: np.ndarray, labels: np.ndarray, settings: dict[str, Any]) -> Arrays:
    """Weights, biases and losses of one training."""
    inputs = settings.pop("inputs", None)
    if inputs is not None:
        images = (images / 255).astype(inputs)
    settings = {"hidden": (64, 37), "epochs": EPOCHS, "threads": 1, "seed": 3, **settings}
    result = fastbp.train((images, labels), **settings)
    losses = np.array([[e.train_loss, e.train_accuracy, e.validation_loss] for e in result.history])
    return [*result.network.weights, *result.network.biases, losses]


def estimators(images: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[], Arrays]]:
    """Fits of both estimators: classes, two classes, several labels, values, sample weights."""
    x = images.reshape(SAMPLES, -1)[:, 200:300] / np.float32(255)
    values = (x @ np.linspace(-1, 1, 100)).astype(np.float64)
    common = {"max_iter": EPOCHS, "random_state": 1, "hidden_layer_sizes": (30,)}

    def fitted(model: Any, y: np.ndarray, **more: Any) -> Arrays:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(x, y, **more)
        answers = model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)
        return [*model.coefs_, *model.intercepts_, np.asarray(answers)]

    several = (labels[:, None] == np.arange(3)).astype(int)
    weights = np.linspace(0.1, 2, SAMPLES)
    return {
        "MLPClassifier": lambda: fitted(fastbp.MLPClassifier(**common), labels),
        "MLPClassifier, two classes": lambda: fitted(fastbp.MLPClassifier(**common), labels > 4),
        "MLPClassifier, several labels": lambda: fitted(fastbp.MLPClassifier(**common), several),
        "MLPRegressor": lambda: fitted(fastbp.MLPRegressor(**common), values),
        "MLPRegressor, sample weights": lambda: fitted(
            fastbp.MLPRegressor(**common), values, sample_weight=weights
        ),
    }


def sha256(arrays: Arrays) -> str:
    """Hash of the arrays' bytes, one after the other."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def measure() -> dict[str, str]:
    """Hash of what every configuration ends with."""
    images, labels = digits()
    found = {}
    for name, settings in TRAININGS.items():
        found[name] = sha256(train(images, labels, dict(settings)))
        print(found[name][:16], name, flush=True)
    for name, fit in estimators(images, labels).items():
        found[name] = sha256(fit())
        print(found[name][:16], name, flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the hashes there")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with hashes written before")
    args = parser.parse_args()
    found = measure()
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if not args.against:
        return 0
    before = json.loads(args.against.read_text(encoding="utf-8"))
    differing = [name for name in {**before, **found} if before.get(name) != found.get(name)]
    print(f"{len(found)} configurations, {len(differing)} differ" + "".join(f"\n  {n}" for n in differing))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
