"""The page docs/batch-norm.md, from the figures that batch_norm.py measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from statistics import fmean, variance
from typing import Any

__all__ = ["page"]

FLOAT = 4  # bytes
ERRORS = 2  # standard errors of a difference that it must be above to count

TEXT = """\
# Batch normalisation: is it worth its time here?

Written by `python bench/batch_norm.py`, which took {seconds:.0f} s.

{decision}

## Accuracy

Test accuracy in %, mean ± standard deviation over random seeds. All networks train on
54,000 images of MNIST in mini-batches of {batch}, with He's weight initialisation and a
learning rate that falls linearly to 0, for {short} or {long} epochs. The learning rate, in
brackets, is the best of a trial of {short} epochs on the 6,000 images of the validation
split.

- *without* and *with*: batch normalisation.
- *as long*: without it, for as many updates as the compiled step would make in the time
  of a run with it (see Cost).
- *dropout*: without it, with a dropout rate of {dropout:g}, at the same learning rate.
- *gain*: over the best of those without it, ± its standard error. Gains above {errors}
  standard errors are bold.

{accuracy}

Validation accuracy by learning rate, in % (0: diverged). Networks with batch
normalisation train at learning rates at which others diverge, and lose less at learning
rates that are too small.

{rates}

## Cost

The time of a step of {batch} samples on one thread, medians of interleaved rounds. *passes*
is the time that the normalisation takes over all hidden layers, forward and backward,
written in Numba (`bench/batch_norm_passes.py`): {accesses} reads and writes of each element of a
hidden layer per step.

{cost}

## How fastbp implements it

- **No scale.** After ReLU, leaky ReLU and the identity, the next layer's weights can do
  what a scale would do; for the other activation functions the scale is omitted too.
  `fastbp.train(batch_norm=True)`, compiled, 3 epochs, five random seeds, and in
  brackets the networks of PyTorch above, which have a scale: 784-100-100-10 with SGD
  97.98 ± 0.11 at learning rate 1.6 and 97.96 ± 0.07 at 3.2 (97.88 ± 0.06), with AdamW
  98.08 ± 0.08 (98.06 ± 0.14); 784-256-256-256-256-10 with SGD 98.18 ± 0.06 (98.22 ±
  0.04).
- **No further parameters.** The bias is the shift. The running mean and variance are
  state beside the parameters; their gain is 0.1, or 1 / t in the first updates t.
- **Passes.** The forward pass computes mean, variance and normalised values; the
  backward pass computes two sums, then the gradients. At these sizes, a thread's share
  of a hidden layer fits into its second-level cache.
- **No further barriers.** In the forward pass, threads share hidden layers by columns.
  In the backward pass, the thread that owns the rows of the next W writes the gradients
  of the same columns. Either way a thread has all samples of a column, so it computes
  the sums over samples alone. The bits are the same for any number of threads.
- **Nothing remains after training.** A normalisation with fixed statistics is folded
  into the weights before it: W / deviation, and bias - mean / deviation. An ordinary
  network is validated, kept and exported. In PyTorch, folded networks classified 0 of
  320,000 test images differently.
- **Not for a batch size of 1**, which fastbp refuses. If the last batch of an epoch has
  one sample, its pre-activations become 0, and it does not count for the running
  statistics. Small batches have noisy statistics.
- **Cost**: see [cost of options](../kernels/README.md#cost-of-options).

<sub>{machine}.</sub>
"""

YES = """\
**Yes.** In {paying} of {cases} cases, a network with batch normalisation is better than the best one
without, by {least:+.2f} to {most:+.2f} points of test accuracy. \
A step takes {cheap:.0f} to {dear:.0f} % longer, by an
estimate for the compiled step ({torch_cheap:.0f} to {torch_dear:.0f} % in PyTorch). So fastbp has it, as
`fastbp train --batch-norm`, without the scale that PyTorch learns (see below).
"""
NO = """\
**No.** Only in {paying} of {cases} cases, a network with batch normalisation is better than the best one
without ({least:+.2f} to {most:+.2f} points of test accuracy). \
A step takes {cheap:.0f} to {dear:.0f} % longer, by an
estimate for the compiled step ({torch_cheap:.0f} to {torch_dear:.0f} % in PyTorch). fastbp does not have it.
"""

Figures = dict[str, Any]


def page(figures: Figures) -> str:
    """Return the page as Markdown."""
    cases = list(_cases(figures))
    return TEXT.format(
        **{
            name: figures[name]
            for name in ("seconds", "batch", "short", "long", "dropout", "machine", "accesses")
        },
        errors=ERRORS,
        decision=_decision(figures, cases).strip(),
        accuracy=_table(
            ("network", "rule", "epochs", "seeds", "without", "as long", "dropout", "with", "gain"),
            (_case_row(case) for case in cases),
        ),
        rates=_rates(figures),
        cost=_cost(figures),
        folded=sum(run["folded"] for run in figures["runs"] if run["normalised"]),
        judged=10_000 * sum(run["normalised"] for run in figures["runs"]),
    )


def _decision(figures: Figures, cases: list[Figures]) -> str:
    gains = [case["gain"] for case in cases]
    paying = sum(case["counts"] for case in cases)
    shares = [100 * cost["share"] for cost in figures["costs"]]
    torch = [100 * (share - 1) for cost in figures["costs"] for *_, share in cost["torch"].values()]
    return (YES if 2 * paying > len(cases) else NO).format(
        paying=paying,
        cases=len(cases),
        least=min(gains),
        most=max(gains),
        cheap=min(shares),
        dear=max(shares),
        torch_cheap=min(torch),
        torch_dear=max(torch),
    )


def _cases(figures: Figures) -> Iterator[Figures]:
    """Yield each network, rule and length, with the accuracies of all that was tried there."""
    for cost in figures["costs"]:
        for rule in cost["torch"]:
            runs = [
                run for run in figures["runs"] if run["sizes"] == cost["sizes"] and run["optimizer"] == rule
            ]
            for epochs in (figures["short"], figures["long"]):
                near = [run for run in runs if epochs <= run["epochs"] < epochs + 1]
                kinds = {
                    "without": [
                        r for r in near if not r["normalised"] and r["epochs"] == epochs and not r["dropout"]
                    ],
                    "long": [r for r in near if r["epochs"] > epochs],
                    "dropout": [r for r in near if r["dropout"]],
                    "with": [r for r in near if r["normalised"]],
                }
                scores = {kind: [r["test"] for r in found] for kind, found in kinds.items() if found}
                best = max((s for kind, s in scores.items() if kind != "with"), key=fmean)
                gain = fmean(scores["with"]) - fmean(best)
                error = math.sqrt(sum(variance(s) / len(s) for s in (best, scores["with"])))
                yield {
                    "name": cost["name"],
                    "rule": rule,
                    "epochs": epochs,
                    "scores": scores,
                    "rates": {kind: kinds[kind][0]["rate"] for kind in ("without", "with")},
                    "gain": gain,
                    "error": error,
                    "counts": gain > ERRORS * error,
                }


def _case_row(case: Figures) -> list[str]:
    cells = {kind: f"{fmean(s):.2f} ± {math.sqrt(variance(s)):.2f}" for kind, s in case["scores"].items()}
    for kind, rate in case["rates"].items():
        cells[kind] += f" ({rate:g})"
    gain = f"{case['gain']:+.2f} ± {case['error']:.2f}"
    return [
        case["name"],
        case["rule"],
        str(case["epochs"]),
        str(len(case["scores"]["with"])),
        *(cells.get(kind, "") for kind in ("without", "long", "dropout", "with")),
        f"**{gain}**" if case["counts"] else gain,
    ]


def _rates(figures: Figures) -> str:
    tables = []
    for rule in figures["costs"][0]["torch"]:
        trials = [trial for trial in figures["trials"] if trial["optimizer"] == rule]
        rates = sorted({trial["rate"] for trial in trials})
        rows = []
        for cost in figures["costs"]:
            for normalised in (False, True):
                mine = [t for t in trials if t["sizes"] == cost["sizes"] and t["normalised"] == normalised]
                found = [fmean(t["validation"] for t in mine if t["rate"] == rate) for rate in rates]
                kind = "with" if normalised else "without"
                rows.append([cost["name"], kind, *(f"{score:.2f}" for score in found)])
        tables.append(_table((rule, "", *(f"{rate:g}" for rate in rates)), rows))
    return "\n\n".join(tables)


def _cost(figures: Figures) -> str:
    rows = []
    for cost in figures["costs"]:
        units = sum(cost["sizes"][1:-1])
        moved = figures["accesses"] * FLOAT * figures["batch"] * units
        torch = [
            f"{without:.0f} → {with_it:.0f} ({100 * (share - 1):+.0f} %)"
            for without, with_it, share in cost["torch"].values()
        ]
        rows.append(
            [
                cost["name"],
                f"{cost['compiled']:.0f}",
                f"{cost['passes']:.1f}",
                f"{100 * cost['share']:.1f} %",
                f"{moved / 1000:,.0f}",
                *torch,
            ]
        )
    rules = [f"PyTorch, {rule}, µs" for rule in figures["costs"][0]["torch"]]
    return _table(("network", "compiled step, µs", "passes, µs", "passes / step", "kB moved", *rules), rows)


def _table(head: Iterable[str], rows: Iterable[list[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * min(2, len(names)) + ["---:"] * (len(names) - 2), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
