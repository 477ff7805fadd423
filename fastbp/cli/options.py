"""The options of the commands: their names, values, help, and the group they are shown in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..recipe import schedules
from ..recipe.initializers import SCHEMES
from ..recipe.optimizers import OPTIMIZERS
from ..recipe.settings import BACKENDS, DTYPES
from ..recipe.specs import forms
from ..reference.activations import ACTIVATIONS

DATA, NETWORK, TRAINING, MACHINE, RUN = "Data", "Network", "Training", "Machine", "Run"
LEARNING = "Learning"


def _option(name: str, metavar: str, text: str, group: str | None = None, **more: Any) -> Any:
    return typer.Option(name, metavar=metavar, help=text, rich_help_panel=group, **more)


def _flag(name: str, text: str, group: str | None = None) -> Any:
    return typer.Option(name, help=text, rich_help_panel=group)


Data = Annotated[
    str,
    _option(
        "--data",
        "NAME|PATH",
        "A name (mnist), a folder of IDX, npy or PNG files, or a file: IDX, CSV, npz, npy, Parquet, Arrow.",
        DATA,
    ),
]
Validation = Annotated[
    float,
    _option(
        "--validation", "PART", "Part of the training data kept back for validation, 0 to below 1.", DATA
    ),
]
Samples = Annotated[
    int | None, _option("--samples", "N", "Train on the first N samples only.", DATA, show_default="all")
]
Hidden = Annotated[
    str,
    _option("--hidden", "N,N,...|none", "Units of each hidden layer; none is a softmax regression.", NETWORK),
]
Activation = Annotated[
    str, _option("--activation", "|".join(ACTIVATIONS), "What hidden units make of their inputs.", NETWORK)
]
Init = Annotated[str, _option("--init", "|".join(SCHEMES), "How weights start.", NETWORK)]
Epochs = Annotated[int, _option("--epochs", "N", "Passes over the training data.", TRAINING)]
BatchSize = Annotated[int, _option("--batch-size", "N", "Samples of a mini-batch.", TRAINING)]
LearningRate = Annotated[float, _option("--learning-rate", "RATE", "Rate of the first update.", TRAINING)]
Schedule = Annotated[
    str,
    _option(
        "--schedule",
        "|".join(forms(schedules.PARAMETERS)),
        "How the rate goes on, with every update; linear falls to zero. plateau multiplies it by FACTOR "
        "(0.2) when PATIENCE (2) epochs have not lowered the loss, of validation if there is any, by TOL "
        "(0.0001), and ends the run where it would fall below LEAST (1e-6).",
        TRAINING,
    ),
]
Warmup = Annotated[
    float,
    _option("--warmup", "EPOCHS", "Epochs in which the rate first rises from near zero.", TRAINING),
]
Optimizer = Annotated[
    str,
    _option(
        "--optimizer",
        "|".join(forms(OPTIMIZERS)),
        "Update rule. The default rate suits sgd; rmsprop and adamw want about 0.001.",
        LEARNING,
    ),
]
L2 = Annotated[float, _option("--l2", "L2", "Penalty: L2 times each weight joins its gradient.", LEARNING)]
WeightDecay = Annotated[
    float,
    _option("--weight-decay", "DECAY", "Decoupled: each update takes rate * DECAY of the weights.", LEARNING),
]
ClipValue = Annotated[
    float, _option("--clip-value", "SIZE", "Limit of each element of the gradient; 0: none.", LEARNING)
]
ClipNorm = Annotated[
    float, _option("--clip-norm", "NORM", "Limit of the norm of the whole gradient; 0: none.", LEARNING)
]
MaxNorm = Annotated[
    float,
    _option("--max-norm", "NORM", "Limit of the norm of the weights into each unit; 0: none.", LEARNING),
]
Ema = Annotated[
    float,
    _option(
        "--ema",
        "DECAY",
        "Validate and keep the running mean of the weights, of this decay, such as 0.999; 0: none.",
        LEARNING,
    ),
]
Dropout = Annotated[
    float, _option("--dropout", "PART", "Part of the hidden units that a step leaves out.", LEARNING)
]
InputDropout = Annotated[
    float, _option("--input-dropout", "PART", "Part of the inputs that a step leaves out.", LEARNING)
]
BatchNorm = Annotated[
    bool,
    _flag(
        "--batch-norm",
        "Normalise hidden units over each mini-batch; what is kept is a plain network.",
        LEARNING,
    ),
]
LabelSmoothing = Annotated[
    float,
    _option("--label-smoothing", "PART", "Part of each label that is spread over all classes.", LEARNING),
]
ClassWeight = Annotated[
    str,
    _option(
        "--class-weight",
        "none|balanced|W,W,...",
        "Weight of each class's samples in the loss; balanced: all classes count the same.",
        LEARNING,
    ),
]
Stop = Annotated[
    list[str] | None,
    _option(
        "--stop",
        "SPEC",
        "End early: early[:N], plateau[:SHARE[,WINDOW]], patience[:N] or time:SECONDS. Give it "
        "several times to combine; the first to be met ends the run. Goes best with --schedule constant.",
        TRAINING,
    ),
]
RestoreBest = Annotated[
    bool, _flag("--restore-best", "Keep the weights of the lowest validation loss.", TRAINING)
]
Augment = Annotated[
    str,
    _option(
        "--augment",
        "PRESET|FILE.toml",
        "Distort training images, each epoch anew: none, report, affine, elastic, ciresan, or a file; see "
        "fastbp augment.",
        TRAINING,
    ),
]
Seed = Annotated[int, _option("--seed", "N", "Of every random draw.", TRAINING)]
Backend = Annotated[
    str, _option("--backend", "|".join(BACKENDS), "Compiled kernels, or the textbook in NumPy.", MACHINE)
]
Threads = Annotated[
    str,
    _option(
        "--threads",
        "N|auto",
        "Threads of the numba backend; the weights have the same bits for any number. "
        "NumPy follows the settings of its BLAS library.",
        MACHINE,
    ),
]
Dtype = Annotated[str, _option("--dtype", "|".join(DTYPES), "Type of the arithmetic.", MACHINE)]
Config = Annotated[
    Path | None,
    _option(
        "--config",
        "FILE",
        "Settings from a TOML file, such as a run's config.toml. Options given here come first.",
        RUN,
    ),
]
Out = Annotated[
    Path | None,
    _option(
        "--out",
        "FOLDER",
        "Folder for weights, history, config and result.",
        RUN,
        show_default="runs/DATA-HIDDEN-NUMBER, a new one",
    ),
]
Force = Annotated[bool, _flag("--force", "Replace a run that is in --out.", RUN)]
Live = Annotated[bool, _flag("--live", "Draw the curves of loss and accuracy in the terminal.", RUN)]
Log = Annotated[
    list[str] | None,
    _option(
        "--log",
        "jsonl|tensorboard|mlflow",
        "Also keep each epoch's figures as JSON lines in the run's folder, for TensorBoard, or in MLflow; "
        "may be given several times.",
        RUN,
    ),
]
Quiet = Annotated[bool, _flag("--quiet", "Print the last line only.", RUN)]
Json = Annotated[bool, _flag("--json", "Print JSON instead of tables.")]
Weights = Annotated[
    list[Path],
    typer.Argument(metavar="WEIGHTS", help="Run folders or safetensors files."),
]
TestData = Annotated[
    str | None,
    _option(
        "--data",
        "NAME|PATH",
        "Data to test on, as for fastbp train; the test part if there is one.",
        show_default="the data of the run, or mnist",
    ),
]
