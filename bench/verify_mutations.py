"""Faults that ``fastbp verify --all`` must find: one mutation of the kernels for each option.

python bench/verify_mutations.py [--only WORD] [--markdown FILE] applies each mutation to a scratch
copy of the package, compiles it, and verifies the configurations that are named beside it. A
mutation is found if one of them fails. The exit code is 1 if a mutation is not found, or its text
does not occur exactly once.

Except for those of float32 alone, mutations are verified in float64, to compile half as much.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parents[1]
KERNELS = "kernels/fastbp_kernels"

VERIFY = """
import json, sys
from dataclasses import replace
from fastbp.backends.base import make_backend
from fastbp.verify.configurations import configurations
from fastbp.verify.paths import verify_problem

names, dtype = json.loads(sys.argv[1])
known = {one.name: one for one in configurations()}
for name in names:
    problem = known[name].problem
    problem = replace(problem, settings=replace(problem.settings, dtype=dtype))
    backend = make_backend("numba", problem.settings.threads)
    report = verify_problem(problem, backend)
    checks = (*report.images, *report.float64, *report.float32)
    worst = max((c for c in checks if not c.passed), key=lambda c: c.share, default=None)
    if report.failures():
        found = [name, report.failures()[0] if worst is None else worst.name]
        print(json.dumps(found + ([] if worst is None else [worst.difference, worst.bound])))
        sys.exit()
print(json.dumps(None))
"""


class Mutation(NamedTuple):
    """An edit of the package, and the configurations of which one must fail."""

    option: str
    fault: str
    file: str
    text: str
    replacement: str
    configurations: tuple[str, ...]
    dtype: str = "float64"


def kernel(
    option: str,
    fault: str,
    file: str,
    edit: tuple[str, str],
    *configurations: str,
    dtype: str = "float64",
) -> Mutation:
    """Return a mutation of a file of the kernels."""
    return Mutation(option, fault, f"{KERNELS}/{file}", *edit, configurations, dtype)


ACTIVATIONS = [
    kernel(
        "activation relu",
        "value: 0 above 0",
        "activations.py",
        ("b.select(negative, zero, z), b.select(active", "b.select(negative, z, zero), b.select(active"),
        "batch_norm True",
    ),
    kernel(
        "activation relu",
        "slope: 0 above 0",
        "activations.py",
        ('active = b.fcmp_ordered(">", z, zero)', 'active = b.fcmp_ordered("<", z, zero)'),
        "batch_norm True",
    ),
    kernel(
        "activation relu",
        "plain step: 0 above 0",
        "tiles.py",
        (
            'b.fcmp_ordered("<", z, floors), floors, z)',
            'b.fcmp_ordered(">", z, floors), floors, z)',
        ),
        "activation relu",
    ),
    kernel(
        "activation leaky-relu",
        "value: sign",
        "activations.py",
        ("return b.fmul(z, slope), slope", "return b.fmul(b.fneg(z), slope), slope"),
        "activation leaky-relu",
    ),
    kernel(
        "activation leaky-relu",
        "slope: sign below 0",
        "activations.py",
        ("return b.fmul(z, slope), slope", "return b.fmul(z, slope), b.fneg(slope)"),
        "activation leaky-relu",
    ),
    kernel(
        "activation tanh",
        "value: sign",
        "activations.py",
        ("size = b.fdiv(m, b.fsub(e.constant(-2.0), m))", "size = b.fdiv(m, b.fadd(e.constant(-2.0), m))"),
        "activation tanh",
    ),
    kernel(
        "activation tanh",
        "slope: 1 + f^2",
        "activations.py",
        (
            "e.fma(b.fmul(size, e.constant(-1.0)), size, e.constant(1.0))",
            "e.fma(size, size, e.constant(1.0))",
        ),
        "activation tanh",
    ),
    kernel(
        "activation logistic",
        "value: 1 - f",
        "activations.py",
        ("return value, e.builder.fmul(value, rest)", "return rest, e.builder.fmul(value, rest)"),
        "activation logistic",
    ),
    kernel(
        "activation logistic",
        "slope: sign",
        "activations.py",
        (
            "return value, e.builder.fmul(value, rest)",
            "return value, e.builder.fneg(e.builder.fmul(value, rest))",
        ),
        "activation logistic",
    ),
    kernel(
        "activation silu",
        "value: sign",
        "activations.py",
        (
            "return b.fmul(z, s), e.fma(b.fmul(z, rest), s, s)",
            "return b.fneg(b.fmul(z, s)), e.fma(b.fmul(z, rest), s, s)",
        ),
        "activation silu",
    ),
    kernel(
        "activation silu",
        "slope: a term dropped",
        "activations.py",
        ("return b.fmul(z, s), e.fma(b.fmul(z, rest), s, s)", "return b.fmul(z, s), s"),
        "activation silu",
    ),
    kernel(
        "activation gelu",
        "value: Phi(-z)",
        "activations.py",
        (
            "b.select(negative, tail, b.fsub(e.constant(1.0), tail))",
            "b.select(negative, b.fsub(e.constant(1.0), tail), tail)",
        ),
        "activation gelu",
    ),
    kernel(
        "activation gelu",
        "slope: a term dropped",
        "activations.py",
        ("e.fma(signed, density, phi)", "phi"),
        "activation gelu",
    ),
    kernel(
        "activation identity",
        "value: sign",
        "activations.py",
        ("return z, e.constant(1.0)", "return e.builder.fneg(z), e.constant(1.0)"),
        "activation identity",
    ),
    kernel(
        "activation identity",
        "slope: sign",
        "activations.py",
        ("return z, e.constant(1.0)", "return z, e.constant(-1.0)"),
        "activation identity",
    ),
]

UPDATES = [
    kernel(
        "plain SGD",
        "sign of the update",
        "epoch.py",
        ("real(model.parameters, -rate)", "real(model.parameters, rate)"),
        "activation relu",
    ),
    kernel(
        "biases",
        "sign of the update",
        "dense.py",
        (
            "store(bias, c, fma(alphas, sums, load(bias, c)))",
            "store(bias, c, fma(subtract(subtract(alphas, alphas), alphas), sums, load(bias, c)))",
        ),
        "activation relu",
    ),
    kernel(
        "l2",
        "sign",
        "optimizers.py",
        ("g = fma(l2s, old, g)", "g = fma(subtract(zeros, l2s), old, g)"),
        "l2 0.05",
    ),
    kernel(
        "l2",
        "on biases too",
        "optimizers.py",
        ("l2s = zeros if is_bias else splat(row[L2])", "l2s = splat(row[L2])"),
        "l2 0.05",
    ),
    kernel(
        "weight_decay",
        "sign",
        "optimizers.py",
        ("fma(minus_decay, old, old)", "fma(decays, old, old)"),
        "weight_decay 0.05",
    ),
    kernel(
        "clip_value",
        "no lower limit",
        "optimizers.py",
        ("minimum(limits, maximum(below, multiply(scales, g)))", "minimum(limits, multiply(scales, g))"),
        "clip_value 0.002",
    ),
    kernel(
        "clip_norm",
        "the inverse factor",
        "optimizers.py",
        ("return 1.0 if norm <= most else most / norm", "return 1.0 if norm <= most else norm / most"),
        "clip_norm 0.1",
    ),
    kernel(
        "clip_norm",
        "a part of the norm left out",
        "optimizers.py",
        ("for chunk in range(chunks):", "for chunk in range(1, chunks):"),
        "clip_norm 0.1",
    ),
    kernel(
        "max_norm",
        "square root dropped",
        "optimizers.py",
        ("divide(limits, square_root(sums))", "divide(limits, sums)"),
        "max_norm 0.8",
    ),
    kernel(
        "ema",
        "sign",
        "optimizers.py",
        ("fma(average_gain, subtract(new, a), a)", "fma(average_gain, subtract(a, new), a)"),
        "ema 0.9",
    ),
    kernel(
        "ema with max_norm",
        "sign",
        "optimizers.py",
        (
            "fma(gains, subtract(load(w.at, i), old), old)",
            "fma(gains, subtract(old, load(w.at, i)), old)",
        ),
        "everything, sgd",
    ),
    kernel(
        "optimizer sgd, general",
        "sign",
        "optimizers.py",
        ("direction = multiply(g_share, g)", "direction = multiply(subtract(zeros, g_share), g)"),
        "l2 0.05",
    ),
    kernel(
        "optimizer momentum",
        "sign of the old moment",
        "optimizers.py",
        (
            "fma(first_decay, load(first, i), multiply(first_gain, g))",
            "fma(subtract(zeros, first_decay), load(first, i), multiply(first_gain, g))",
        ),
        "optimizer momentum",
    ),
    kernel(
        "optimizer nesterov",
        "moment dropped from the step",
        "optimizers.py",
        ("direction = fma(m_share, m, direction)", "direction = m"),
        "optimizer nesterov",
    ),
    kernel(
        "optimizer rmsprop",
        "sign of the new square",
        "optimizers.py",
        (
            "fma(second_decay, load(second, i), multiply(second_gain, multiply(g, g)))",
            "fma(second_decay, load(second, i), multiply(second_gain, multiply(g, multiply(g, g))))",
        ),
        "optimizer rmsprop",
    ),
    kernel(
        "optimizer adamw",
        "root of the second moment dropped",
        "optimizers.py",
        ("fma(root, size, epsilon)", "fma(root, s, epsilon)"),
        "optimizer adamw",
    ),
    kernel(
        "optimizer adamw",
        "epsilon dropped",
        "optimizers.py",
        ("fma(root, size, epsilon)", "fma(root, size, zeros)"),
        "optimizer adamw",
    ),
]

LEARNING = [
    kernel(
        "dropout",
        "keeps what it should drop",
        "dropout.py",
        (
            "factor = scale if _is_kept(word, c - FOUR * quad, threshold) else scale - scale",
            "factor = scale - scale if _is_kept(word, c - FOUR * quad, threshold) else scale",
        ),
        "dropout 0.3",
    ),
    kernel(
        "dropout",
        "slopes left alone",
        "dropout.py",
        ("slope[c] *= factor", "slope[c] *= scale"),
        "dropout 0.3",
    ),
    kernel(
        "input_dropout",
        "a place of the word shifted",
        "dropout.py",
        (
            "out[first + place] = source[first + place] * _is_kept(word, place, threshold)",
            "out[first + place] = source[first + place] * _is_kept(word, 3 - place, threshold)",
        ),
        "input_dropout 0.2",
    ),
    kernel(
        "input_dropout",
        "kept inputs not enlarged",
        "epoch.py",
        ("data.input_scale * keep_scale(dropout.thresholds[0])", "data.input_scale"),
        "input_dropout 0.2",
    ),
    kernel(
        "batch_norm",
        "forward: mean not subtracted",
        "batch_norm.py",
        ("value = (y[i * row + c] - mean[c]) * inverse[c]", "value = y[i * row + c] * inverse[c]"),
        "batch_norm True",
    ),
    kernel(
        "batch_norm",
        "backward: a term dropped",
        "batch_norm.py",
        ("- kept[i * row + c] * (share * along[c])", ""),
        "batch_norm True",
    ),
    kernel(
        "batch_norm",
        "backward: a sign",
        "batch_norm.py",
        ("- share * shifts[c]", "+ share * shifts[c]"),
        "batch_norm True",
    ),
    kernel(
        "batch_norm",
        "running variance biased",
        "batch_norm.py",
        ("unbiased = real(bias, 1.0 / (samples - 1))", "unbiased = real(bias, 1.0 / samples)"),
        "batch_norm True",
    ),
    kernel(
        "batch_norm",
        "running mean with bias",
        "batch_norm.py",
        ("(mean[c] - bias[c] - running_mean[c])", "(mean[c] - running_mean[c])"),
        "batch_norm True",
    ),
]

LOSSES = [
    kernel(
        "output softmax",
        "the label's gradient: sign",
        "loss.py",
        ("z[label] -= scale", "z[label] += scale"),
        "activation relu",
    ),
    kernel(
        "output softmax",
        "the loss: sign of the logit",
        "loss.py",
        ("gap = peak - z[label]", "gap = peak + z[label]"),
        "activation relu",
    ),
    kernel(
        "output softmax",
        "right answers: the label itself not compared",
        "loss.py",
        ("answer == label and s > 0", "answer != label and s > 0"),
        "activation relu",
    ),
    kernel(
        "label_smoothing",
        "gradient: sign",
        "loss.py",
        ("logits[c] -= weighted * smoothing / classes", "logits[c] += weighted * smoothing / classes"),
        "label_smoothing 0.1",
    ),
    kernel(
        "label_smoothing",
        "loss: sign",
        "loss.py",
        ("ahead += logits[label] - logits[c]", "ahead += logits[c] - logits[label]"),
        "label_smoothing 0.1",
    ),
    Mutation(
        "hard_mining",
        "losses go to other samples",
        "fastbp/backends/numba_backend.py",
        "options.sample_losses[batches.order] = run.answers.losses",
        "options.sample_losses[batches.order] = run.answers.losses[::-1]",
        ("hard_mining 0.7",),
    ),
    kernel(
        "class_weight",
        "gradient not weighted",
        "loss.py",
        ("weighted = scale * factor", "weighted = scale"),
        "class_weight balanced",
    ),
    kernel(
        "sample weights",
        "loss not weighted",
        "loss.py",
        ("losses[b] = factor * (loss + ahead)", "losses[b] = loss + ahead"),
        "output softmax, sample weights",
    ),
    kernel(
        "sample weights of targets",
        "gradient not weighted",
        "loss.py",
        (
            "_squared_row(logits, wanted, classes, scale * factor), False",
            "_squared_row(logits, wanted, classes, scale), False",
        ),
        "output identity, sample weights",
    ),
    kernel(
        "output logistic",
        "gradient: sign of the target",
        "loss.py",
        (
            "z[c] = scale * (z[c] - (targets[c] * (1 - smoothing) + half))",
            "z[c] = scale * (z[c] + (targets[c] * (1 - smoothing) + half))",
        ),
        "output logistic",
    ),
    kernel(
        "output logistic",
        "loss: a term dropped",
        "loss.py",
        ("return loss + total(sums), correct and loss == loss", "return loss, correct and loss == loss"),
        "output logistic",
    ),
    kernel(
        "output logistic",
        "smoothing dropped",
        "loss.py",
        (
            "lanes, correct, half = width(z), True, smoothing / 2",
            "lanes, correct, half = width(z), True, smoothing",
        ),
        "output logistic, label_smoothing 0.1",
    ),
    kernel(
        "output identity",
        "gradient: sign",
        "loss.py",
        ("z[c] = scale * apart", "z[c] = -scale * apart"),
        "output identity",
    ),
    kernel(
        "output identity",
        "loss: the half dropped",
        "loss.py",
        ("return loss / 2", "return loss"),
        "output identity",
    ),
]

DISTORTIONS = [
    kernel(
        "distortion zoom",
        "sign",
        "augment.py",
        (
            "(p[ZOOM_HIGH] - p[ZOOM_LOW]) * _uniform(state, DRAW_ZOOM)",
            "(p[ZOOM_LOW] - p[ZOOM_HIGH]) * _uniform(state, DRAW_ZOOM)",
        ),
        "distortion zoom",
    ),
    kernel(
        "distortion stretch",
        "sign",
        "augment.py",
        ("wide = zoom * (1.0 + p[STRETCH]", "wide = zoom * (1.0 - p[STRETCH]"),
        "distortion stretch",
    ),
    kernel(
        "distortion rotation",
        "sign",
        "augment.py",
        ("angle = math.radians(most", "angle = -math.radians(most"),
        "distortion rotation",
    ),
    kernel(
        "distortion rotation_of_1_and_7",
        "dropped",
        "augment.py",
        ("most = p[ROTATION_NARROW] if label == 1 or label == 7 else p[ROTATION]", "most = p[ROTATION]"),
        "distortion rotation_of_1_and_7",
    ),
    kernel(
        "distortion shift",
        "sign",
        "augment.py",
        ("down = p[SHIFT]", "down = -p[SHIFT]"),
        "distortion shift",
    ),
    kernel(
        "distortion shear",
        "sign",
        "augment.py",
        ("shear = p[SHEAR]", "shear = -p[SHEAR]"),
        "distortion shear",
    ),
    kernel(
        "distortion alpha",
        "sign",
        "augment.py",
        ("np.float32(p[ALPHA]), field)", "np.float32(-p[ALPHA]), field)"),
        "distortion alpha",
    ),
    kernel(
        "distortion sigma",
        "a tap left out",
        "augment.py",
        ("for j in range(1, both + 1):", "for j in range(2, both + 1):"),
        "distortion sigma",
    ),
    kernel(
        "distortion blur",
        "a tap dropped",
        "augment.py",
        ("+ k1 * (i[c - 1] + i[c + 1])", "+ k1 * i[c - 1]"),
        "distortion blur",
    ),
    kernel(
        "distortion noise",
        "sign",
        "augment.py",
        (
            "image[r * row + c] += scale * np.float32(total - 131070)",
            "image[r * row + c] -= scale * np.float32(total - 131070)",
        ),
        "distortion noise",
    ),
    kernel(
        "distortion squares",
        "a draw of another number",
        "augment.py",
        ("_uniform(state, DRAW_SQUARES + 2 * number + 1)", "_uniform(state, DRAW_SQUARES + 2 * number)"),
        "distortion squares",
    ),
    kernel(
        "distortion square",
        "side of one more",
        "augment.py",
        ("side = min(int(p[SQUARE]), height, columns)", "side = min(int(p[SQUARE]) + 1, height, columns)"),
        "distortion square",
    ),
    kernel(
        "augment presets",
        "always the first variant",
        "augment.py",
        ("variant = int(_uniform(state, DRAW_VARIANT) * len(d.plan))", "variant = 0"),
        "augment report",
    ),
]

FLOAT32 = [
    kernel(
        "float32 alone",
        "exp: a term of the series dropped",
        "elementary.py",
        (
            "    degree = 7 if e.size == 4 else 13\n    value =",
            "    degree = 3 if e.size == 4 else 13\n    value =",
        ),
        "activation relu",
        dtype="float32",
    ),
    kernel(
        "float32 alone",
        "expm1: sign of the low part of ln 2",
        "elementary.py",
        ("rest = -2.12194440054690583e-4 if single", "rest = 2.12194440054690583e-4 if single"),
        "activation tanh",
        dtype="float32",
    ),
    kernel(
        "float32 alone",
        "gelu: a coefficient's sign",
        "elementary.py",
        ("    -0.1402406583213864,", "    0.1402406583213864,"),
        "activation gelu",
        dtype="float32",
    ),
]

MUTATIONS = [*ACTIVATIONS, *UPDATES, *LEARNING, *LOSSES, *DISTORTIONS, *FLOAT32]


def check(mutation: Mutation) -> str:
    """Apply a mutation to a scratch copy; return what found it, or an error in capitals."""
    source = (HERE / mutation.file).read_text(encoding="utf-8")
    if source.count(mutation.text) != 1:
        return f"TEXT OCCURS {source.count(mutation.text)} TIMES"
    with tempfile.TemporaryDirectory() as folder:
        for part in ("fastbp", "kernels"):
            shutil.copytree(HERE / part, Path(folder, part), ignore=shutil.ignore_patterns("__pycache__"))
        changed = source.replace(mutation.text, mutation.replacement)
        Path(folder, mutation.file).write_text(changed, encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((folder, f"{folder}/kernels", str(HERE / "data"))),
            "FASTBP_CACHE_DIR": f"{folder}/cache",
        }
        given = json.dumps([mutation.configurations, mutation.dtype])
        done = subprocess.run(
            [sys.executable, "-c", VERIFY, given],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return f"CRASHED: {done.stderr.strip().splitlines()[-1]}"
    found = json.loads(done.stdout.splitlines()[-1])
    if found is None:
        return "NOT FOUND"
    name, failure, *numbers = found
    sizes = f": {numbers[0]:.1e}, bound {numbers[1]:.1e}" if numbers else ""
    return f"{name}: {failure}{sizes}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORD", help="options that contain it")
    parser.add_argument("--texts", action="store_true", help="only look for the texts")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    args = parser.parse_args()
    rows, missed = ["| option | fault | found by |", "|---|---|---|"], 0
    for mutation in MUTATIONS:
        if args.only not in mutation.option:
            continue
        if args.texts:
            count = (HERE / mutation.file).read_text(encoding="utf-8").count(mutation.text)
            result = "" if count == 1 else f"TEXT OCCURS {count} TIMES"
        else:
            result = check(mutation)
        missed += result.startswith(("TEXT", "CRASHED", "NOT FOUND"))
        rows.append(f"| {mutation.option} | {mutation.fault} | {result} |")
        print(rows[-1], flush=True)
    if args.markdown:
        args.markdown.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(rows) - 2} mutations, {missed} not found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
