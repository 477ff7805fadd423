"""The rules of docs/architecture.md that can be read off the sources."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE, KERNELS = ROOT / "fastbp", ROOT / "kernels" / "fastbp_kernels"

pytestmark = pytest.mark.skipif(not PACKAGE.is_dir(), reason="the sources are not beside the tests")

# Rooms from the ground up: a module imports from its own room and from those that stand before it.
ROOMS = [
    "errors",
    "files",
    "lazy",
    "random",
    "callbacks",
    "schema",
    "reference",
    "network",
    "data",
    "recipe",
    "digits",
    "backends",
    "runs",
    "training",
    "evaluation",
    "estimators",
    "exports",
    "logs",
    "robustness",
    "verify",
    "terminal",
    "plots",
    "display",
    "pages",
    "sweeps",
    "studies",
    "cli",
    "__main__",
    "__init__",
]
FLOOR = {name: floor for floor, name in enumerate(ROOMS)}
MOST_MODULES = 9  # beside the rooms, so that the folder reads like a table of contents


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def absolute_imports(path):
    """First names of absolute imports, wherever in the file they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def inner_imports(path):
    """Modules of the package that a module imports, as paths of names from the package on."""
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            if node.module:
                yield (*base, *node.module.split("."))
            else:
                yield from ((*base, alias.name) for alias in node.names)


def test_rooms_import_from_the_ground_up():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {'.'.join(target)}"
        for path in modules()
        for target in inner_imports(path)
        if target[0] in FLOOR and FLOOR[target[0]] > FLOOR[room(path)]
    ]
    assert not wrong


def test_one_module_imports_upwards():
    """By name, which the test above does not see; others import from their own room only."""
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        if re.search(r"\bimport_module\(|__import__\(", path.read_text(encoding="utf-8"))
    }
    assert users == {"lazy.py", "__init__.py", "cli/__init__.py", "logs/__init__.py"}


def test_modules_do_not_import_each_other_in_a_circle():
    """Within a room too, and for types too."""
    names = {tuple(p.relative_to(PACKAGE).with_suffix("").parts): p for p in modules()}
    arrows = {
        name: {target for target in inner_imports(path) if target in names and target != name}
        for name, path in names.items()
    }
    while arrows:
        free = {name for name, targets in arrows.items() if not targets & arrows.keys()}
        assert free, f"a circle among {sorted('.'.join(name) for name in arrows)}"
        arrows = {name: targets for name, targets in arrows.items() if name not in free}


def test_the_package_reads_like_a_table_of_contents():
    assert set(ROOMS) == {room(path) for path in modules()}
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_MODULES


def test_inside_of_the_package_imports_are_relative():
    assert not [path for path in modules() if "fastbp" in absolute_imports(path)]


def test_reference_imports_numpy_only():
    for path in (PACKAGE / "reference").glob("*.py"):
        assert absolute_imports(path) - sys.stdlib_module_names <= {"numpy"}, path.name
        assert {target[0] for target in inner_imports(path)} <= {"reference"}, path.name


def test_kernels_know_numpy_numba_and_llvmlite_only():
    for path in sorted(KERNELS.glob("*.py")):
        assert absolute_imports(path) - sys.stdlib_module_names <= {"numpy", "numba", "llvmlite"}, path.name


# What may be imported of compiled code, and where: the step with its groups of arguments, and prediction,
# each by the one module that proves its arguments, and by nobody else.
COMPILED = {"numba", "llvmlite", "fastbp_kernels"}
COMPILED_NAMES = {
    "backends/base.py": {"check_cache"},
    "backends/kernel_arguments.py": None,
    "backends/numba_backend.py": {"BITS", "Team", "compiled_count"},
    "backends/predictor.py": {
        "ABOVE_ONE",
        "ABOVE_ZERO",
        "NOT_FINITE",
        "TURNS",
        "Team",
        "make_plan",
        "predict_rows",
    },
    "backends/sparsity.py": {"ROWS"},
    "cli/cache.py": {"Version", "cache_folder", "clear", "user_folder", "versions"},
    "data/faults.py": {"Span", "last_words"},
    "robustness/raster.py": {"make_distorter", "resample_rows", "stamp_discs"},
}


def test_each_kernel_is_called_in_one_place():
    users = [path for path in modules() if COMPILED & absolute_imports(path)]
    assert [path.relative_to(PACKAGE).as_posix() for path in users] == list(COMPILED_NAMES)
    for path, allowed in zip(users, COMPILED_NAMES.values(), strict=True):
        if allowed is not None:
            tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            imports = [node for node in tree if isinstance(node, ast.Import | ast.ImportFrom)]
            found = {
                alias.name
                for node in imports
                if COMPILED & {(getattr(node, "module", None) or node.names[0].name).split(".")[0]}
                for alias in node.names
            }
            assert found == allowed, path.name


def test_the_step_takes_groups_only():
    tree = ast.parse((KERNELS / "epoch.py").read_text(encoding="utf-8"))
    step = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "run_batches")
    kinds = [ast.unparse(argument.annotation) for argument in step.args.args]
    groups = ["Model", "Data", "Batches", "Options | None", "Answers", "Worker", "Distorter | None"]
    assert kinds == groups


def test_trainer_does_no_arithmetic_on_arrays():
    tree = ast.parse((PACKAGE / "training" / "trainer.py").read_text(encoding="utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
    }
    types = {"int64", "float64", "uint8"}
    assert used - types == {"average", "empty", "isfinite"}


def test_no_registry_or_machine_is_named():
    pattern = re.compile(r"pypi[.]org|python[h]osted|registry[.]npm|deb[.]debian|/[w]ork/|/[r]oot/")
    suffixes = {".py", ".md", ".toml", ".txt", ".cfg", ".yml", ".yaml", ".sh", ""}
    folders = ("fastbp", "kernels", "data", "bench", "tests", "docs", ".ci", ".github")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    files += [*ROOT.glob("*.md"), *ROOT.glob("*.toml")]
    found = [
        str(path.relative_to(ROOT))
        for path in files
        if path.is_file()
        and path != Path(__file__).resolve()  # it names what it forbids
        and "__pycache__" not in path.parts
        and pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found
