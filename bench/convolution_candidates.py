"""Train candidates on 50,000 digits and judge them by 10,000 others; print a line of JSON for each.

    python bench/convolution_candidates.py FILE [--out FILE]

A line of FILE is a `Plan` as JSON, with ``seed`` if it is not 0. One thread, so that two searches may run
beside each other. No test digit is read.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from convolution_training import Plan, accuracy_of, train
from fastbp.data.dataset import load_training

HELD_BACK = 10_000


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """MNIST's training digits: images (60000, 1, 28, 28), uint8, and labels."""
    data, _ = load_training("mnist")
    assert data.labels is not None
    images = np.array(data.images, np.uint8).reshape(-1, 1, 28, 28)
    return torch.from_numpy(images), torch.from_numpy(np.array(data.labels, np.int64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    images, labels = digits()
    for line in asked.file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        seed = row.pop("seed", 0)
        plan = Plan(**row)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1000 + seed))
        held, kept = order[:HELD_BACK], order[HELD_BACK:]
        before = time.process_time()
        module, _ = train(plan, images[kept], labels[kept], seed)
        cpu = time.process_time() - before
        accuracy = accuracy_of(module, images[held], labels[held])
        found = {**asdict(plan), "seed": seed, "validation": accuracy, "cpu_seconds": round(cpu, 2)}
        with asked.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
