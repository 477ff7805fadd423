"""Time every kernel by itself at two sizes, and write the ledger's table: ``python bench/ledger.py``.

The table stands between ``<!-- ledger:begin -->`` and ``<!-- ledger:end -->`` in kernels/README.md. Each
kernel runs again and again on the state that real steps left, in turn with the FMA peak of one core; shares
are medians over rounds. FLOP are those of the dense product, so kernels that skip zeros may exceed 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compiled import measured
from environment import describe, now
from fastbp.backends.batches import Batches
from fastbp.backends.kernel_arguments import Buffers, training_run
from fastbp.recipe.step_options import PLAIN
from fastbp_kernels import Answers, BatchBuffers, dense, epoch, loss
from fastbp_kernels import batch as gathering
from fastbp_kernels.annotations import FloatArray
from fastbp_kernels.layout import Matrix, parts_of
from fastbp_kernels.simd import offset, pointer, pointers, width
from fastbp_kernels.tiles import ROWS, VECTORS
from interleave import interleave, ratios, spread
from peak import FmaPeak
from problem import Problem, mnist
from report import replace_block

LEDGER = Path(__file__).resolve().parent.parent / "kernels" / "README.md"
_batch_of = epoch._batch_of
CASES = (((784, 100, 100, 10), 8), ((784, 800, 800, 10), 64))
ROUNDS, SECONDS = 12, 0.01
TINY = np.float32(-1e-12)  # an update that leaves the weights as they are

locate, gather = gathering.locate, gathering.gather
list_for_forward, list_for_update = gathering.list_for_forward, gathering.list_for_update
forward, forward_list, backward, transpose = (
    dense.forward,
    dense.forward_list,
    dense.backward,
    dense.transpose,
)
backward_panel, update, update_list = dense.backward_panel, dense.update, dense.update_list
update_bias, softmax_cross_entropy = dense.update_bias, loss.softmax_cross_entropy


class Shape(NamedTuple):
    """Fan-in, fan-out, and samples."""

    d: int
    h: int
    batch: int


class Matrices(NamedTuple):
    """What a product reads and writes, by the names of the layer's equations."""

    x: Matrix
    w: Matrix
    z: Matrix
    t: FloatArray
    """Room for some rows of w, transposed."""


@measured
def _gather(times: int, images: FloatArray, batches: Batches, s: Shape, own: BatchBuffers) -> None:
    rows, b, o = pointer(images), pointers(batches), pointers(own)
    for step in range(times):
        batch = _batch_of(b, step % 64)
        locate(rows, s.d, batch, o.look)
        gather(rows, s.batch, s.d, np.float32(1), o.look, Matrix(o.inputs, o.input_row))


@measured
def _lists(
    times: int, images: FloatArray, batches: Batches, s: Shape, ldw: int, own: BatchBuffers, updates: bool
) -> None:
    rows, b, o = pointer(images), pointers(batches), pointers(own)
    for step in range(times):
        locate(rows, s.d, _batch_of(b, step % 64), o.look)
        list_for_forward(rows, s.batch, s.d, ldw, np.float32(1), o.look, o.forward)
        if updates:
            list_for_update(rows, s.batch, s.d, (0, parts_of(s.d, ROWS)), np.float32(1), o.look, o.update)


@measured
def _forward(times: int, arrays: Matrices, s: Shape) -> None:
    m = pointers(arrays)
    columns, fours = (0, parts_of(s.h, width(m.w.at))), (0, parts_of(s.batch, ROWS))
    for _ in range(times):
        forward(m.x, m.w, m.z.at, m.z, s.d, fours, columns, np.float32(0))


@measured
def _forward_list(times: int, arrays: Matrices, s: Shape, own: BatchBuffers) -> None:
    m, o = pointers(arrays), pointers(own)
    columns, fours = (0, parts_of(s.h, width(m.w.at))), (0, parts_of(s.batch, ROWS))
    for _ in range(times):
        forward_list(o.forward, m.w, m.z.at, m.z, fours, columns, np.float32(0))


@measured
def _update(times: int, arrays: Matrices, s: Shape) -> None:
    m = pointers(arrays)
    columns, fours = (0, parts_of(s.h, width(m.w.at))), (0, parts_of(s.d, ROWS))
    for _ in range(times):
        update(m.x, m.z, m.w, s.batch, fours, columns, TINY)


@measured
def _update_list(times: int, arrays: Matrices, s: Shape, own: BatchBuffers) -> None:
    m, o = pointers(arrays), pointers(own)
    columns, fours = (0, parts_of(s.h, width(m.w.at))), (0, parts_of(s.d, ROWS))
    for _ in range(times):
        update_list(o.update, m.z, m.w, fours, columns, TINY)


@measured
def _update_bias(times: int, arrays: Matrices, s: Shape) -> None:
    m = pointers(arrays)
    columns = (0, parts_of(s.h, width(m.w.at)))
    for _ in range(times):
        update_bias(m.z, m.x.at, s.batch, columns, TINY)


@measured
def _backward(times: int, arrays: Matrices, dx: Matrix, s: Shape) -> None:
    m, out = pointers(arrays), pointers(dx)
    vectors, fours = parts_of(s.h, width(m.w.at)), (0, parts_of(s.d, ROWS))
    for _ in range(times):
        backward(m.z, m.w, vectors, m.x.at, out, s.batch, fours, np.float32(0))


@measured
def _backward_panels(times: int, arrays: Matrices, dx: Matrix, s: Shape) -> None:
    m, out, lanes = pointers(arrays), pointers(dx), width(pointers(arrays).w.at)
    for _ in range(times):
        v, vectors = 0, parts_of(s.d, lanes)
        while v < vectors:
            wide = dense.widest(v, vectors)
            r, panel = v * lanes, Matrix(m.t, VECTORS * lanes)
            transpose(m.w, s.d, s.h, r, panel, wide)
            some = Matrix(offset(out.at, r), out.row)
            backward_panel(m.z, panel, wide, s.h, offset(m.x.at, r), some, s.batch, np.float32(0))
            v += wide


@measured
def _loss(times: int, z: Matrix, batches: Batches, s: Shape, answers: Answers) -> None:
    logits, b, out = pointers(z), pointers(batches), pointers(answers)
    for _ in range(times):
        softmax_cross_entropy(logits, s.h, _batch_of(b, 0), (0, s.batch), out)


def kernels(problem: Problem) -> dict[str, tuple[Callable[[int], None], int]]:
    """Each kernel by name: what runs it some times, and the FLOP of its dense product or 0."""
    network, batch, data = problem.network.copy(), problem.batch, problem.data
    steps = 64
    batches = Batches(data.order[: steps * batch], batch, np.full(steps, 1e-3))
    run = training_run(network, data.images, data.labels, batches, PLAIN)
    made = {}
    for listed in (False, True):
        buffers, shape = Buffers(), run.shape._replace(listed=listed)
        replace(run, shape=shape).calls(buffers, 1, 0, 4)[0]()
        made[listed] = buffers.worker(shape, 0, 1)
    (d, h, r0), (_, c, r2) = run.model.layout[0, :3], run.model.layout[2, :3]
    d, h, c, r0, r2 = (int(n) for n in (d, h, c, r0, r2))
    rows, own, space = made[False].own, made[True].own, made[True].space
    weights = [network.parameters[int(w) :] for w in run.model.layout[:, 3]]
    a, g = ([buffer[int(at) :] for at in space.output_at] for buffer in (space.outputs, space.gradients))
    y = np.zeros_like(space.outputs)
    wide, hidden, last = Shape(d, h, batch), Shape(h, h, batch), Shape(h, c, batch)
    x = Matrix(rows.inputs, rows.input_row)
    first_layer, t = Matrix(weights[0], r0), rows.panel

    def of(number: int, ldw: int, z: Any) -> Matrices:
        return Matrices(Matrix(a[number - 1], r0), Matrix(weights[number], ldw), Matrix(z, ldw), t)

    def flop(s: Shape) -> int:
        return 2 * s.batch * s.d * s.h

    images, order = run.data.images, run.batches
    back = Matrix(y, r0)
    return {
        "gather": (lambda n: _gather(n, images, order, wide, rows), 0),
        "list_for_forward": (lambda n: _lists(n, images, order, wide, r0, own, False), 0),
        "list_for_forward and list_for_update": (
            lambda n: _lists(n, images, order, wide, r0, own, True),
            0,
        ),
        f"forward {d} x {h}": (
            lambda n: _forward(n, Matrices(x, first_layer, Matrix(y, r0), t), wide),
            flop(wide),
        ),
        f"forward_list {d} x {h}": (
            lambda n: _forward_list(n, Matrices(x, first_layer, Matrix(y, r0), t), wide, own),
            flop(wide),
        ),
        f"forward {h} x {h}": (lambda n: _forward(n, of(1, r0, y), hidden), flop(hidden)),
        f"forward {h} x {c}": (lambda n: _forward(n, of(2, r2, y), last), flop(last)),
        "softmax_cross_entropy": (lambda n: _loss(n, Matrix(g[2], r2), order, last, run.answers), 0),
        f"backward {h} x {h}": (lambda n: _backward(n, of(1, r0, g[1]), back, hidden), flop(hidden)),
        f"backward {h} x {c}": (lambda n: _backward(n, of(2, r2, g[2]), back, last), flop(last)),
        f"transpose, backward_panel {h} x {h}": (
            lambda n: _backward_panels(n, of(1, r0, g[1]), back, hidden),
            flop(hidden),
        ),
        f"transpose, backward_panel {h} x {c}": (
            lambda n: _backward_panels(n, of(2, r2, g[2]), back, last),
            flop(last),
        ),
        f"update {h} x {c}": (lambda n: _update(n, of(2, r2, g[2]), last), flop(last)),
        f"update {h} x {h}": (lambda n: _update(n, of(1, r0, g[1]), hidden), flop(hidden)),
        f"update {d} x {h}": (
            lambda n: _update(n, Matrices(x, first_layer, Matrix(g[0], r0), t), wide),
            flop(wide),
        ),
        f"update_list {d} x {h}": (
            lambda n: _update_list(n, Matrices(x, first_layer, Matrix(g[0], r0), t), wide, own),
            flop(wide),
        ),
        f"update_bias {h}": (
            lambda n: _update_bias(n, Matrices(back, first_layer, Matrix(g[0], r0), t), wide),
            0,
        ),
    }


def timed(run: Callable[[int], None]) -> Callable[[], float]:
    """Call that takes about SECONDS and returns the seconds of one run."""
    run(1)
    start = time.perf_counter()
    run(3)
    times = max(1, int(SECONDS / ((time.perf_counter() - start) / 3)))

    def once() -> float:
        start = time.perf_counter()
        run(times)
        return (time.perf_counter() - start) / times

    return once


def table(problem: Problem) -> list[str]:
    """Markdown table of one network and batch size."""
    peak, found = FmaPeak(1, SECONDS), kernels(problem)
    contestants = {name: timed(run) for name, (run, _) in found.items()}
    figures = interleave({"peak": peak.measure, **contestants}, ROUNDS)
    sizes = "-".join(map(str, problem.network.sizes))
    lines = [
        f"\n{sizes}, batch {problem.batch}:\n",
        "| kernel | us | GFLOP/s | share of peak |",
        "|---|---:|---:|---:|",
    ]
    for name, (_, flop) in found.items():
        seconds = spread(figures[name]).median
        share = spread([flop / s for s in ratios(figures[name], [1 / p for p in figures["peak"]])]).median
        rates = f"{flop / seconds / 1e9:.0f} | {share:.2f}" if flop else "| "
        lines.append(f"| `{name}` | {seconds * 1e6:.2f} | {rates} |")
    return lines


def main() -> None:
    """Measure and write."""
    machine = describe()
    text = [
        f"{machine['cpu']}, {machine['vector_bits']}-bit vectors, one thread, {now()}; "
        "`python bench/ledger.py`."
    ]
    for sizes, batch in CASES:
        text += table(Problem(sizes, batch, mnist()))
    ledger = LEDGER.read_text(encoding="utf-8")
    LEDGER.write_text(replace_block(LEDGER, ledger, "ledger", "\n".join(text)), encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
