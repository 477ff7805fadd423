"""Train the recipes of the package over random seeds; write their figures, tables and the frontier.

    python bench/records.py [NAME ...] [--seeds N] [--peers [--epochs N]] [--only-page]

Recipes train in turn, seed by seed, on all 60,000 digits, and are tested once, at their end. Seconds are
those of training: compiled before, test not counted. Figures go to fastbp/recipe/named/figures.json; the
tables and the figure of docs/records/ are made from that file.

``--peers`` trains the same recipes by fastbp, PyTorch and JAX (``pip install '.[peers]'``), in turn, each in
a process of its own, after these have shown that they compute the same; its figures go to
docs/records/peers.json. With ``--epochs`` it only shows that all works, and how long an epoch takes.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fastbp
from environment import cores, describe, now
from fastbp.errors import ConfigError
from fastbp.files import replace_file
from fastbp.recipe import named
from fastbp.recipe.settings import read_settings
from record_peers import HOMES, TITLES, MissingPeerError, Recipe, RefusedError
from record_peers.child import Child
from records_page import PEERS, read_peers, write_page

Train = Callable[[int], tuple[float, float]]
"""Of a random seed: test accuracy and seconds of training."""


def fastbp_trainer(name: str, epochs: int | None = None) -> Train:
    """Return what trains a recipe by fastbp, compiled; ``epochs`` instead of its own, if given."""
    settings = read_settings(named.path_of(name))
    settings |= {} if epochs is None else {"epochs": epochs}
    fastbp.train(**{**settings, "epochs": 1})  # compiles, and touches what is read

    def train(seed: int) -> tuple[float, float]:
        result = fastbp.train(**settings, seed=seed)
        return result.test_accuracy, round(result.training.training_seconds, 4)

    return train


def in_turn(trainers: dict[str, Train], seeds: int) -> dict[str, dict[str, list[float]]]:
    """Train each from each seed, all from one seed before the next; return figures by name."""
    found: dict[str, dict[str, list[float]]] = {name: {"accuracies": [], "seconds": []} for name in trainers}
    for seed in range(seeds):
        for name, train in trainers.items():
            accuracy, seconds = train(seed)
            found[name]["accuracies"].append(accuracy)
            found[name]["seconds"].append(seconds)
            print(
                f"{name}, seed {seed}: {100 * accuracy:.2f} % in {seconds:.3f} s, "
                f"load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    return found


def measure(names: list[str], seeds: int) -> dict[str, dict[str, object]]:
    """Return fastbp's figures by recipe."""
    found = in_turn({name: fastbp_trainer(name) for name in names}, seeds)
    about = {"cpu": describe()["cpu"], "threads": cores(), "date": now()}
    return {name: {**entry, **about} for name, entry in found.items()}


def measure_peers(name: str, seeds: int, epochs: int | None) -> dict[str, Any] | None:
    """Return figures of one recipe by library, None where the peers cannot train it."""
    try:
        Recipe.read(name)
    except RefusedError as refused:
        print(f"{name} by fastbp alone: {refused}")
        return None
    forms: dict[str, Any] = {"fastbp": {}}
    with ExitStack() as stack:
        trainers = {"fastbp": fastbp_trainer(name, epochs)}
        for peer in HOMES:
            try:
                child = Child(peer, name, epochs)
            except MissingPeerError as missing:
                print(f"without {TITLES[peer]}: {missing}")
                continue
            stack.callback(child.close)
            forms[peer], trainers[peer] = child.about, child.train
            print(f"{name}, {peer}: microseconds a step: {child.about['microseconds']}", flush=True)
        found = in_turn(trainers, seeds)
    settings = json.loads(json.dumps(read_settings(named.path_of(name))))
    about = {"settings": settings, "cpu": describe()["cpu"], "threads": cores(), "date": now()}
    return {**about, "by": {peer: {**forms[peer], **found[peer]} for peer in found}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--peers", action="store_true", help="other libraries beside fastbp")
    parser.add_argument("--epochs", type=int, help="with --peers: instead of the recipe's; writes nothing")
    parser.add_argument("--only-page", action="store_true")
    asked = parser.parse_args()
    try:
        names = [name for name in asked.names if named.path_of(name)] or list(named.available())
    except ConfigError as error:
        parser.error(str(error))
    if asked.epochs is not None and not asked.peers:
        parser.error("--epochs needs --peers")
    if asked.peers:
        for name in names:
            entry = measure_peers(name, asked.seeds, asked.epochs)
            if entry is not None and asked.epochs is None:
                keep(PEERS, {**read_peers(), name: entry})
    elif not asked.only_page:
        kept = json.loads(named.FIGURES.read_text(encoding="utf-8"))
        keep(named.FIGURES, kept | measure(names, asked.seeds))
    if asked.epochs is None:
        write_page()


def keep(path: Path, entries: dict[str, Any]) -> None:
    """Write the figures of the recipes that there are, in their order."""
    ordered = {name: entries[name] for name in named.available() if name in entries}
    replace_file(path, json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    main()
