"""The shape of the sources: how long functions are, how many parameters they have, whole tables."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_PARAMETERS = {"fastbp": 8, "kernels/fastbp_kernels": 10}
MOST_LINES = 60

pytestmark = pytest.mark.skipif(not (ROOT / "fastbp").is_dir(), reason="the sources are not beside the tests")


def sources(folder):
    return [(path.relative_to(ROOT).as_posix(), path) for path in sorted((ROOT / folder).rglob("*.py"))]


def functions(folder):
    """Name and node of each function, except what is an interface: constructors and Typer commands."""
    for name, path in sources(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_interface(node):
                yield f"{name}: {node.name}", node


def is_interface(function):
    return function.name == "__init__" or any(
        isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "command"
        for mark in function.decorator_list
    )


def parameters(function):
    given = function.args
    names = [argument.arg for argument in [*given.posonlyargs, *given.args]]
    names += [argument.arg for argument in [*given.kwonlyargs, given.vararg, given.kwarg] if argument]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def test_functions_have_few_parameters():
    found = {
        name
        for folder, most in MOST_PARAMETERS.items()
        for name, function in functions(folder)
        if parameters(function) > most
    }
    assert not found


def test_functions_are_short():
    found = {
        name
        for folder in MOST_PARAMETERS
        for name, function in functions(folder)
        if function.end_lineno - function.lineno + 1 > MOST_LINES
    }
    assert not found


def test_tables_in_docstrings_are_whole():
    """A formatter that does not know tables cuts their rule of ``====`` in two lines."""
    rule = r"[ #]*=[= ]*\n"
    cut = re.compile(f"^{rule}{rule}", re.MULTILINE)
    folders = [*MOST_PARAMETERS, "bench", "tests"]
    assert not [
        name for folder in folders for name, path in sources(folder) if cut.search(path.read_text("utf-8"))
    ]
