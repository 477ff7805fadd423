"""What one child process of records.py does: train one recipe by one library, once for each seed it is told.

Started by records.py with the right environment. Reads a random seed a line, writes a line of JSON for each;
the first line it writes says which form it trains in, after the forms have shown that they compute what
fastbp does, and have been timed on some steps.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from environment import package_version
from fastbp.data.dataset import load_test, load_training
from interleave import interleave
from record_peers import HOMES, MissingPeerError, Peer, Recipe, forms
from record_peers.checks import check_distortions, check_steps
from record_peers.training import train
from rows import threads_text

TRIAL = 9_600  # samples on which the forms are compared
ROUNDS = 6


def prepare(known: dict[str, type[Peer]], recipe: Recipe, threads: int) -> dict[str, Peer]:
    """Return the forms that work here, checked and compiled.

    Raises
    ------
    MissingPeerError : none does
    """
    data, _ = load_training("mnist")
    assert data.labels is not None
    peers: dict[str, Peer] = {}
    failed: list[str] = []
    for form, of_form in known.items():
        try:
            check_steps(partial(of_form, threads=1), recipe, data.images, data.labels)
        except MissingPeerError as error:
            failed.append(f"{form}: {error}")
            print(failed[-1], file=sys.stderr)
            continue
        for count in sorted({1, threads}) if of_form.may_use_fewer else [threads]:
            peer = of_form(recipe, data.images, data.labels, count)
            peers[f"{form}, {threads_text(count)}"] = peer
        check_distortions(peer)
    if not peers:
        raise MissingPeerError("; ".join(failed))
    return peers


def compare(peers: dict[str, Peer], size: int) -> dict[str, float]:
    """Return microseconds of a step of each form, in turns."""
    steps = TRIAL // size
    order, rates = np.arange(steps * size), np.full(steps, 0.01)

    def measure(peer: Peer) -> float:
        began = time.perf_counter()
        peer.train_epoch(order, rates)
        return 1e6 * (time.perf_counter() - began) / steps

    for peer in peers.values():
        peer.restart(0)
        measure(peer)  # compiles
    found = interleave({form: partial(measure, peer) for form, peer in peers.items()}, ROUNDS)
    return {form: round(median(each), 1) for form, each in found.items()}


def own_output() -> Callable[[Any], None]:
    """Return what writes lines of JSON; all else that is printed here goes to standard error."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return lambda value: print(json.dumps(value), file=lines, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=HOMES)
    parser.add_argument("recipe")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    asked = parser.parse_args()
    say = own_output()
    try:
        peers = prepare(forms(asked.peer), Recipe.read(asked.recipe, asked.epochs), asked.threads)
    except MissingPeerError as error:
        say({"missing": str(error)})
        return
    microseconds = compare(peers, next(iter(peers.values())).recipe.settings.batch_size)
    form = min(microseconds, key=lambda each: microseconds[each])
    peer, test = peers[form], load_test("mnist")
    versions = {package: package_version(package) for package in peer.packages}
    del peers  # each has its copy of the images
    train(peer, 0, 1)  # compiles all shapes, and touches what is read
    say({"form": form, "microseconds": microseconds, "versions": versions})
    for line in sys.stdin:
        seconds = train(peer, int(line))
        accuracy = float(np.mean(peer.classify(test.images) == test.labels))
        say({"accuracy": round(accuracy, 4), "seconds": round(seconds, 4)})


if __name__ == "__main__":
    main()
