"""docs/dependencies.md names every package of pyproject.toml with its lowest version, and no other."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="the pages are not beside the tests")


def required():
    """Package, what it is for, and its lowest version."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = {"fastbp": settings["project"]["dependencies"], "build": settings["build-system"]["requires"]}
    for extra, packages in settings["project"]["optional-dependencies"].items():
        groups[f"extra {extra}"] = packages
    for group, packages in groups.items():
        for package in packages:
            if not package.startswith("fastbp["):  # the packages of another extra
                name, lowest = re.match(r"([\w.-]+)(?:\[\w+\])?>=([\w.]+)", package).groups()
                yield name, group, lowest


def listed():
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"
    ]
    assert rows[0] == ["package", "for", "lowest", "used for"]
    for name, group, lowest, purpose in rows[2:]:
        assert len(purpose) > 3, name
        yield name, group, lowest


def test_every_dependency_is_listed():
    assert sorted(listed()) == sorted(required())


def test_actions_of_the_hosted_checks_are_pinned():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: *(\S+)(.*)", workflow)
    assert used
    for action, remark in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+", remark), "the tag stands beside the commit"
