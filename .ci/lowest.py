"""Print a constraints file: the lowest versions that pyproject.toml allows, of the extras named."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def lowest(extras: list[str]) -> list[str]:
    """Return ``name==version`` for each requirement of the package and of the extras."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = list(project["dependencies"])
    for extra in extras:
        requirements += project["optional-dependencies"][extra]
    pins = []
    for requirement in requirements:
        if requirement.startswith("fastbp["):
            continue  # the package itself: name its extras on the command line
        found = re.match(r"([\w.-]+)(?:\[\w+\])?>=([\w.]+)", requirement)
        if found is None:
            sys.exit(f"pyproject.toml: {requirement!r} has no lower bound; expected NAME>=VERSION")
        pins.append(f"{found[1]}=={found[2]}")
    return pins


print("\n".join(lowest(sys.argv[1:])))
