"""Markdown of the repository: line lengths, whole tables, links that resolve, figures that agree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".", "docs", "docs/guide", "docs/report", "docs/report/*", "kernels", "data")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}/*.md"))
LINE = 88  # characters of a line of prose
README_LINES = 100

FENCE = re.compile(r"^ *(`{3,})")
BLOCK = re.compile(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", re.DOTALL)
ALONE = re.compile(r"[-! ]*\[[^\]]*\]\([^)]*\)[.,]?")  # a link or an image
LINK = re.compile(r"\]\(([^)\s]+)\)")

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="the pages are not beside the tests")


def names(pages):
    return [str(page.relative_to(ROOT)) for page in pages]


def prose(text):
    """Numbered lines outside of code blocks."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        found = FENCE.match(line)
        if fence:
            fence = "" if found and found[1] == fence else fence
        elif found:
            fence = found[1]
        elif not line.startswith("    ") or line.lstrip().startswith(("- ", "* ")):
            yield number, line


def too_long(text):
    """Numbers of lines of prose that are too long; rows of tables, and links alone, may be."""
    blank = BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)
    return [
        number
        for number, line in prose(blank)
        if len(line) > LINE and not line.startswith("|") and not ALONE.fullmatch(line)
    ]


def broken_tables(text):
    """Numbers of rows of tables whose cells are not as many as the heading's, or without a rule."""
    broken, width, previous = [], None, None
    for number, line in prose(text):
        if not line.startswith("|"):
            width = None
        else:
            # A bar within code or after a backslash is no border.
            cells = re.sub(r"`[^`]*`|\\\|", "", line).strip().strip("|").split("|")
            if width is None:
                width, rule = len(cells), number + 1
                if previous:
                    broken.append(number)
            elif len(cells) != width or (
                number == rule and not all(re.fullmatch(r" *:?-+:? *", cell) for cell in cells)
            ):
                broken.append(number)
        previous = line.strip() and not line.startswith(("|", "<!--"))
    return broken


def anchors(text):
    """Fragments of the headings, as they are browsed."""
    headings = (re.match(r"#+ (.*)", line) for _, line in prose(text))
    words = (re.sub(r"[^\w\- ]", "", heading[1].lower()) for heading in headings if heading)
    return {word.replace(" ", "-") for word in words}


def dead_links(page, text):
    found = []
    for _, line in prose(text):
        for link in LINK.findall(line):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if "://" in link:
                continue
            if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
                found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_page(page):
    text = page.read_text(encoding="utf-8")
    written = page.name != "table.md"  # which fastbp study generates
    assert not (too_long(text) if written else []), f"lines of more than {LINE} characters"
    assert not broken_tables(text), "rows that do not fit their table"
    assert not dead_links(page, text)


def test_the_readme_fits_on_a_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_readme_has_the_figures_of_the_benchmarks():
    """Its rows are those of the summary in docs/benchmarks.md, which has more columns."""

    def rows(path):
        text = (ROOT / path).read_text(encoding="utf-8")
        table = text.partition("<!-- peers:begin -->")[2].partition("\n\n×")[0]
        lines = [line for line in table.splitlines() if line.startswith("|")]
        return {
            tuple(cells[:2]): cells
            for cells in ([c.strip() for c in line[1:-1].split("|")] for line in lines)
        }

    readme, page = rows("README.md"), rows("docs/benchmarks.md")
    head = {name.lower().replace(" ", "-"): i for i, name in enumerate(page["network", "batch"])}
    columns = [head[name.lower().replace(" ", "-")] for name in readme["network", "batch"]]
    assert len(readme) == 6  # heading, rule, and four rows
    for key, cells in readme.items():
        if key[0] not in ("network", "---"):
            assert cells == [page[key][i] for i in columns]


def test_the_checks_can_fail():
    assert too_long("x " * 50) == [1]
    assert too_long("| " + "x " * 50) == []
    assert too_long("```\n" + "x " * 50 + "\n```\n") == []
    assert too_long("<!-- a:begin -->\n" + "x " * 50 + "\n<!-- a:end -->\n" + "x " * 50) == [4]
    assert broken_tables("| a | b |\n|---|---|\n| 1 |\n") == [3]
    assert broken_tables("| a | b |\n| 1 | 2 |\n") == [2]
    assert broken_tables("words\n| a | b |\n|---|---|\n") == [2]
    assert broken_tables("| a | `b|c` |\n|---|---|\n| 1 | 2 |\n") == []
    page = ROOT / "README.md"
    assert dead_links(page, "[a](no/such.md) [b](README.md#no-such) [c](README.md#from-python)") == [
        "no/such.md",
        "README.md#no-such",
    ]


def test_the_architecture_lists_the_package_in_import_order():
    rooms = (ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8")
    order = re.findall(r'^    "(\w+)",$', rooms.partition("ROOMS = [")[2].partition("]")[0], re.MULTILINE)
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("| in `fastbp/`")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [r for r in order if not r.startswith("__")]


def test_the_ledger_names_kernels_that_exist():
    kernels = ROOT / "kernels" / "fastbp_kernels"
    table = (ROOT / "kernels" / "README.md").read_text(encoding="utf-8").partition("## Kernels")[2]
    named = re.findall(r"^\| `(\w+)\.(\w+)`", table.partition("\n## ")[0], re.MULTILINE)
    assert len(named) > 20
    for module, name in named:
        text = (kernels / f"{module}.py").read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{module}.{name}"


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_files_that_are_named_exist(page):
    """Paths of Python files in code, from the repository, a package or bench on."""
    roots = [ROOT / name for name in (".", "fastbp", "kernels/fastbp_kernels", "bench")]
    named = set(re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8")))
    missing = {name for name in named if not any((root / name).exists() for root in roots)}
    assert missing <= {"network_numpy.py", "network_torch.py"}  # which fastbp export writes
