"""The rules of docs/architecture.md that can be read off the sources."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE, KERNELS = ROOT / "fastbp", ROOT / "kernels" / "fastbp_kernels"

pytestmark = pytest.mark.skipif(not PACKAGE.is_dir(), reason="the sources are not beside the tests")

# Who may import whom: a module imports those of earlier rows only.
ROWS = [
    [
        "errors",
        "interrupt",
        "callbacks",
        "reference",
        "reference_activations",
        "reference_optimizers",
        "rounding",
        "pace",
        "terminal",
    ],
    ["reference_batch_norm", "reference_distortions", "reference_losses"],
    ["reference_dropout", "reference_learning"],
    ["columns", "files", "metrics", "random", "sample_weights", "specs", "stopping", "datasets"],
    ["schedules"],
    ["distortions", "dropout", "plateau", "preprocess", "dataio"],
    ["network"],
    ["batch_norm", "initializers", "optimizers", "cost", "inputs", "pictures"],
    ["step_options"],
    ["kernel_arguments"],
    ["numpy_backend", "numba_backend"],
    ["settings", "backends"],
    ["validation"],
    ["trainer", "verification", "options"],
    ["runs", "live"],
    ["progress", "logs", "estimators"],
    ["experiment", "evaluation", "exports", "description", "side_by_side"],
    ["comparison"],
    ["robustness"],
    ["verify", "tables", "run_tables", "plots", "drawing"],
    ["studies"],
    ["cli"],
    ["__main__", "__init__"],
]
LEVEL = {name: level for level, row in enumerate(ROWS) for name in row}


def imports(path):
    """First names of absolute imports, and of relative ones, wherever in the file they stand."""
    absolute, relative = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            absolute |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            absolute.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            inside = path.parent != PACKAGE and node.level == 1
            if not inside:
                relative |= (
                    {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
                )
    return absolute, relative


def modules():
    return sorted(PACKAGE.glob("*.py")) + sorted(PACKAGE.glob("*/*.py"))


def room(path):
    return path.stem if path.parent == PACKAGE else path.parent.name


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    name = room(path)
    assert name in LEVEL, f"say in this test where {name} belongs, and in docs/architecture.md what it is"
    absolute, relative = imports(path)
    assert "fastbp" not in absolute, "inside of the package, imports are relative"
    upwards = {other for other in relative if other in LEVEL and LEVEL[other] >= LEVEL[name]}
    assert not upwards - {name}
    # `from . import x` of a name that is no module is one of __init__'s own.
    assert relative - set(LEVEL) <= {"__version__"}


def test_the_rows_name_modules_that_exist():
    assert set(LEVEL) == {room(path) for path in modules()}


def test_reference_imports_numpy_only():
    absolute, relative = imports(PACKAGE / "reference.py")
    assert absolute - sys.stdlib_module_names == {"numpy"}
    assert not relative


def test_kernels_know_numpy_numba_and_llvmlite_only():
    for path in sorted(KERNELS.glob("*.py")):
        absolute, _ = imports(path)
        assert absolute - sys.stdlib_module_names <= {"numpy", "numba", "llvmlite"}, path.name


def test_kernels_are_called_in_one_place():
    users = [path.name for path in modules() if {"numba", "llvmlite", "fastbp_kernels"} & imports(path)[0]]
    assert users == ["kernel_arguments.py", "numba_backend.py"]


def test_trainer_does_no_arithmetic_on_arrays():
    tree = ast.parse((PACKAGE / "trainer.py").read_text(encoding="utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
    }
    types = {"int64", "float64", "uint8"}
    assert used - types == {"average", "concatenate", "copyto", "empty", "full", "isfinite"}


def test_no_registry_or_machine_is_named():
    # Put together here, so that this file does not name them.
    words = [
        "py" + "pi.org",
        "python" + "hosted",
        "registry." + "npm",
        "deb." + "debian",
        "/wo" + "rk/",
        "/ro" + "ot/",
    ]
    pattern = re.compile("|".join(map(re.escape, words)))
    suffixes = {".py", ".md", ".toml", ".txt", ".cfg", ".yml", ".yaml", ".sh", ""}
    folders = ("fastbp", "kernels", "data", "bench", "tests", "docs", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    files += [*ROOT.glob("*.md"), *ROOT.glob("*.toml")]
    found = [
        str(path.relative_to(ROOT))
        for path in files
        if path.is_file()
        and "__pycache__" not in path.parts
        and pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found
