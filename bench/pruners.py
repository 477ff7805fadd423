"""Compare pruners on complete runs of a random sweep: epochs saved, accuracy lost.

    fastbp sweep random.toml && python bench/pruners.py sweeps/random

Every run is complete, so any pruner can be replayed on it. Each replay takes half of
the runs, drawn at random, in a random order, one at a time, as in a search with one job.
Printed are means over the replays: the share of epochs that is trained, by how much the
best completed run falls short of the best one of the half, and how often it is that one.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import optuna
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, PercentilePruner, SuccessiveHalvingPruner

REPLAYS = 200


def pruners(epochs):
    return {
        "none": NopPruner,
        "median, after 5 runs": lambda: MedianPruner(n_startup_trials=5),
        "median, after 5 runs and 1 epoch": lambda: MedianPruner(n_startup_trials=5, n_warmup_steps=2),
        "median, after 10 runs": lambda: MedianPruner(n_startup_trials=10),
        "best quarter, after 5 runs": lambda: PercentilePruner(25.0, n_startup_trials=5),
        "successive halving, 1/2": lambda: SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
        "successive halving, 1/3": lambda: SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
        "successive halving, 1/4": lambda: SuccessiveHalvingPruner(min_resource=1, reduction_factor=4),
        "successive halving, 1/4, from 2 on": lambda: SuccessiveHalvingPruner(
            min_resource=2, reduction_factor=4
        ),
        "hyperband, 1/3": lambda: HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3),
    }


def histories(folder):
    """Validation accuracy by epoch of each run that has completed."""
    runs = [json.loads(path.read_text()) for path in sorted((folder / "runs").glob("*.json"))]
    return [
        [record["validation_accuracy"] or 0.0 for record in run["history"]]
        for run in runs
        if run["status"] == "completed"
    ]


def replay(make, found, order):
    """Return the share of epochs that is trained, by how much the best completed run falls short, and
    whether it is the best one.
    """
    study = optuna.create_study(direction="maximize", pruner=make(), study_name="replay")
    trained, best = 0, -math.inf
    for number in order:
        trial = study.ask()
        for epoch, accuracy in enumerate(found[number], 1):
            trained += 1
            trial.report(accuracy, epoch)
            if epoch < len(found[number]) and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, accuracy)
            best = max(best, accuracy)
    top = max(found[number][-1] for number in order)
    return trained / sum(len(found[number]) for number in order), top - best, best == top


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of a sweep")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = histories(parser.parse_args().folder)
    top = max(run[-1] for run in found)
    print(f"{len(found)} runs, best {100 * top:.2f} %, {REPLAYS} replays of {len(found) // 2} runs\n")
    print("| pruner | epochs trained, % | best falls short by, points | finds the best, % |")
    print("|---|---:|---:|---:|")
    for name, make in pruners(max(map(len, found))).items():
        rng = np.random.default_rng(0)
        results = [replay(make, found, rng.permutation(len(found))[::2]) for _ in range(REPLAYS)]
        epochs, short, hits = np.mean(results, axis=0)
        print(f"| {name} | {100 * epochs:.0f} | {100 * short:.3f} | {100 * hits:.0f} |")


if __name__ == "__main__":
    main()
