"""Time every kernel by itself at two sizes, and write the ledger's table: ``python bench/ledger.py``.

The table stands between ``<!-- ledger:begin -->`` and ``<!-- ledger:end -->`` in kernels/README.md. Each
kernel runs again and again on the state that real steps left, in turn with the FMA peak of one core; shares
are medians over rounds. FLOP are those of the dense product, so kernels that skip zeros may exceed 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from compiled import measured
from environment import describe, now
from fastbp.backends.numba_backend import read_only
from fastbp_kernels import batch as gathering
from fastbp_kernels import dense, loss, make_batch_buffers, make_workspace, run_batches
from fastbp_kernels.simd import offset, pointer, width
from interleave import interleave, ratios, spread
from peak import FmaPeak
from plain import no_options
from problem import Problem, mnist
from report import replace_block

LEDGER = Path(__file__).resolve().parent.parent / "kernels" / "README.md"
CASES = (((784, 100, 100, 10), 8), ((784, 800, 800, 10), 64))
ROUNDS, SECONDS = 12, 0.01
TINY = np.float32(-1e-12)  # an update that leaves the weights as they are

locate, gather = gathering.locate, gathering.gather
list_for_forward, list_for_update = gathering.list_for_forward, gathering.list_for_update
forward, forward_list, backward = dense.forward, dense.forward_list, dense.backward
backward_narrow, update, update_list = dense.backward_narrow, dense.update, dense.update_list
update_bias, softmax_cross_entropy = dense.update_bias, loss.softmax_cross_entropy


@measured
def _gather(times: int, images: Any, order: Any, batch: int, d: int, own: Any) -> None:
    for step in range(times):
        addresses = pointer(own.addresses)
        locate(pointer(images), d, pointer(order), step % 64 * batch, batch, pointer(own.zeros), addresses)
        gather(pointer(images), addresses, batch, d, np.float32(1), pointer(own.inputs), own.input_row)


@measured
def _lists(
    times: int, images: Any, order: Any, batch: int, d: int, ldw: int, own: Any, updates: bool
) -> None:
    scale, tail, masks = np.float32(1), pointer(own.tail), pointer(own.masks)
    for step in range(times):
        addresses = pointer(own.addresses)
        locate(pointer(images), d, pointer(order), step % 64 * batch, batch, pointer(own.zeros), addresses)
        list_for_forward(
            pointer(images),
            addresses,
            batch,
            d,
            ldw,
            scale,
            pointer(own.forward_values),
            pointer(own.forward_rows),
            pointer(own.forward_counts),
            own.forward_capacity,
            tail,
            masks,
        )
        if updates:
            list_for_update(
                pointer(images),
                addresses,
                batch,
                d,
                scale,
                pointer(own.update_values),
                pointer(own.update_samples),
                pointer(own.update_counts),
                own.update_capacity,
                tail,
                masks,
            )


@measured
def _forward(
    times: int, x: Any, ldx: int, w: Any, ldw: int, y: Any, d: int, h: int, batch: int, own: Any
) -> None:
    columns = (0, (h + width(pointer(w)) - 1) // width(pointer(w)))
    for _ in range(times):
        bias, rows = pointer(y), pointer(own.forward_rows)
        fours, zero = (0, (batch + 3) // 4), np.float32(0)
        forward(pointer(x), ldx, pointer(w), ldw, bias, pointer(y), d, fours, columns, zero, rows)


@measured
def _forward_list(times: int, w: Any, ldw: int, y: Any, h: int, batch: int, own: Any) -> None:
    columns = (0, (h + width(pointer(w)) - 1) // width(pointer(w)))
    for _ in range(times):
        forward_list(
            pointer(own.forward_values),
            pointer(own.forward_rows),
            pointer(own.forward_counts),
            own.forward_capacity,
            pointer(w),
            ldw,
            pointer(y),
            pointer(y),
            (0, (batch + 3) // 4),
            columns,
            np.float32(0),
        )


@measured
def _update(
    times: int, x: Any, ldx: int, dz: Any, w: Any, ldw: int, d: int, h: int, batch: int, own: Any
) -> None:
    columns = (0, (h + width(pointer(w)) - 1) // width(pointer(w)))
    for _ in range(times):
        fours, unused = (0, (d + 3) // 4), pointer(own.update_samples)
        update(pointer(x), ldx, pointer(dz), pointer(w), ldw, batch, fours, columns, TINY, unused)


@measured
def _update_list(times: int, dz: Any, w: Any, ldw: int, d: int, h: int, own: Any) -> None:
    columns = (0, (h + width(pointer(w)) - 1) // width(pointer(w)))
    for _ in range(times):
        update_list(
            pointer(own.update_values),
            pointer(own.update_samples),
            pointer(own.update_counts),
            own.update_capacity,
            pointer(dz),
            pointer(w),
            ldw,
            (0, (d + 3) // 4),
            columns,
            TINY,
        )


@measured
def _update_bias(times: int, dz: Any, ldw: int, bias: Any, h: int, batch: int) -> None:
    columns = (0, (h + width(pointer(dz)) - 1) // width(pointer(dz)))
    for _ in range(times):
        update_bias(pointer(dz), ldw, pointer(bias), batch, columns, TINY)


@measured
def _backward(
    times: int, dz: Any, w: Any, ldw: int, x: Any, dx: Any, ldx: int, d: int, h: int, batch: int
) -> None:
    vectors = (h + width(pointer(w)) - 1) // width(pointer(w))
    for _ in range(times):
        fours = (0, (d + 3) // 4)
        backward(pointer(dz), pointer(w), ldw, vectors, pointer(x), pointer(dx), ldx, batch, fours, w[0] * 0)


@measured
def _backward_narrow(
    times: int,
    dz: Any,
    w: Any,
    ldw: int,
    t: Any,
    x: Any,
    dx: Any,
    ldx: int,
    d: int,
    h: int,
    batch: int,
    own: Any,
) -> None:
    columns = (0, (d + width(pointer(w)) - 1) // width(pointer(w)))
    for _ in range(times):
        backward_narrow(
            pointer(dz),
            pointer(w),
            ldw,
            d,
            h,
            pointer(t),
            pointer(x),
            pointer(dx),
            ldx,
            batch,
            columns,
            w[0] * 0,
            pointer(own.update_samples),
        )


@measured
def _loss(times: int, z: Any, row: int, labels: Any, order: Any, batch: int, losses: Any, right: Any) -> None:
    for _ in range(times):
        z_at, label = offset(pointer(z), 0), pointer(labels)
        scale = np.float32(1 / batch)
        softmax_cross_entropy(
            z_at, row, 10, label, pointer(order), 0, batch, scale, pointer(losses), pointer(right)
        )


def kernels(problem: Problem) -> dict[str, tuple[Callable[[int], None], int]]:
    """Each kernel by name: what runs it some times, and the FLOP of its dense product or 0."""
    network, batch, data = problem.network.copy(), problem.batch, problem.data
    images, labels, order = map(read_only, (data.images, data.labels, data.order))
    (d, h, r0), (_, c, r2) = network.layout[0, :3], network.layout[2, :3]
    d, h, c, r0, r2 = (int(n) for n in (d, h, c, r0, r2))
    space = make_workspace(network.layout, network.dtype, batch)
    own, rows = (
        make_batch_buffers(d, network.dtype, images.dtype, batch, listed) for listed in (True, False)
    )
    losses, right, logits = np.zeros(batch * 4, "f4"), np.zeros(batch * 4, "u1"), np.zeros((0, 0), "f4")
    for buffers in (rows, own):
        run_batches(
            network.parameters,
            network.layout,
            images,
            labels,
            order[: 4 * batch],
            np.arange(0, 5 * batch, batch),
            np.full(4, 1e-3),
            network.input_scale,
            space,
            buffers,
            *no_options(network, images.dtype),
            losses,
            right,
            logits,
            0,
            1,
        )
    weights = [network.parameters[int(w) :] for w in network.layout[:, 3]]
    a, g = ([buffer[int(at) :] for at in space.output_at] for buffer in (space.outputs, space.gradients))
    y, first, hidden, last = (
        np.zeros_like(space.outputs),
        2 * batch * d * h,
        2 * batch * h * h,
        2 * batch * h * c,
    )
    return {
        "gather": (lambda n: _gather(n, images, order, batch, d, rows), 0),
        "list_for_forward": (lambda n: _lists(n, images, order, batch, d, r0, own, False), 0),
        "list_for_forward and list_for_update": (
            lambda n: _lists(n, images, order, batch, d, r0, own, True),
            0,
        ),
        f"forward {d} x {h}": (
            lambda n: _forward(n, rows.inputs, rows.input_row, weights[0], r0, y, d, h, batch, own),
            first,
        ),
        f"forward_list {d} x {h}": (lambda n: _forward_list(n, weights[0], r0, y, h, batch, own), first),
        f"forward {h} x {h}": (lambda n: _forward(n, a[0], r0, weights[1], r0, y, h, h, batch, own), hidden),
        f"forward {h} x {c}": (lambda n: _forward(n, a[1], r0, weights[2], r2, y, h, c, batch, own), last),
        "softmax_cross_entropy": (lambda n: _loss(n, g[2], r2, labels, order, batch, losses, right), 0),
        f"backward {h} x {h}": (
            lambda n: _backward(n, g[1], weights[1], r0, a[0], y, r0, h, h, batch),
            hidden,
        ),
        f"backward {h} x {c}": (lambda n: _backward(n, g[2], weights[2], r2, a[1], y, r0, h, c, batch), last),
        f"backward_narrow {h} x {c}": (
            lambda n: _backward_narrow(
                n, g[2], weights[2], r2, space.transposed, a[1], y, r0, h, c, batch, own
            ),
            last,
        ),
        f"update {h} x {c}": (lambda n: _update(n, a[1], r0, g[2], weights[2], r2, h, c, batch, own), last),
        f"update {h} x {h}": (lambda n: _update(n, a[0], r0, g[1], weights[1], r0, h, h, batch, own), hidden),
        f"update {d} x {h}": (
            lambda n: _update(n, rows.inputs, rows.input_row, g[0], weights[0], r0, d, h, batch, own),
            first,
        ),
        f"update_list {d} x {h}": (lambda n: _update_list(n, g[0], weights[0], r0, d, h, own), first),
        f"update_bias {h}": (lambda n: _update_bias(n, g[0], r0, y, h, batch), 0),
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
