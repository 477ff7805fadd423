"""A small sweep, and what it left, to be compared with another."""

from fastbp.sweeps import Store, read_sweep

TIMES = ("training_seconds", "wall_seconds", "host")
HISTORY_TIMES = ("seconds", "validation_seconds")
SWEEP = """
seeds = 2
[settings]
data = "data.npz"
backend = "numpy"
epochs = EPOCHS
validation = 0.2
schedule = "constant"
[grid]
hidden = [[5], [3, 2]]
"""


def written(path, epochs=2):
    """The sweep, from a file in a folder with its data."""
    (path / "own.toml").write_text(SWEEP.replace("EPOCHS", str(epochs)))
    return read_sweep(path / "own.toml")


def results(out):
    """Runs by key, without times."""
    found = {}
    for made in Store(out).read():
        plain = {name: value for name, value in made.items() if name not in TIMES}
        plain["history"] = [
            {name: value for name, value in row.items() if name not in HISTORY_TIMES}
            for row in made["history"]
        ]
        found[made["key"]] = plain
    return found
