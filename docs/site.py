"""Hooks of mkdocs.yml: pages from outside of docs/, and links that hold on both sides.

Links in Markdown are paths in the repository, so they work where its files are browsed.
For the site, ``on_files`` adds the pages of `PAGES` without copying them, and a page with
the text of every other file that a page links to. ``on_page_markdown`` changes the links
to match. ``on_post_build`` fails if a page loads anything from another host.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "kernels/README.md": "kernels.md",
    "data/README.md": "data.md",
}
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)]*)?(\))")
# What loads when a page opens; a link that the reader may follow is not among it.
LOADS = re.compile(
    r"""<(?:script|img|iframe|source)[^>]+src=["']?(?:https?:)?//"""
    r"""|<link[^>]+rel=["']?stylesheet["']?[^>]+href=["']?(?:https?:)?//"""
)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of `PAGES`, and files that pages link to."""
    for path, uri in PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / path).read_text(encoding="utf-8")))
    for page in [file for file in files if file.is_documentation_page()]:
        for target in targets(page.content_string, home(page.src_uri)):
            uri = f"source/{target}.md"
            listed = site_path(target) or files.get_file_from_path(uri)
            if not listed and (ROOT / target).is_file():
                files.append(File.generated(config, uri, content=listing(target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the page's text with links to where files are on the site."""
    path = home(page.file.src_uri)
    if path is None:
        return markdown

    def moved(match: re.Match[str]) -> str:
        before, link, anchor, after = match.groups()
        if "://" in link:
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
        uri = site_path(target) or f"source/{target}.md"
        start = posixpath.dirname(page.file.src_uri)
        return f"{before}{posixpath.relpath(uri, start or '.')}{anchor or ''}{after}"

    return LINK.sub(moved, markdown)


def on_post_build(config: Any) -> None:
    """Fail if a page loads anything from another host."""
    for page in Path(config.site_dir).rglob("*.html"):
        if found := LOADS.search(page.read_text(encoding="utf-8")):
            raise PluginError(f"{page.name} loads from another host: {found[0]}")


def home(uri: str) -> str | None:
    """Path in the repository of a page of the site; None for a listing."""
    if uri.startswith("source/"):
        return None
    return next((path for path, page in PAGES.items() if page == uri), f"docs/{uri}")


def site_path(target: str) -> str | None:
    """Path on the site of a file of the repository; None if it becomes a listing."""
    return PAGES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)


def targets(text: str, path: str | None) -> set[str]:
    """Paths in the repository to which a page links."""
    if path is None:
        return set()
    folder = posixpath.dirname(path)
    links = (match[2] for match in LINK.finditer(text))
    return {posixpath.normpath(posixpath.join(folder, link)) for link in links if "://" not in link}


def listing(path: str) -> str:
    """A page that shows a file of the repository."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return f"# {path}\n\n````````{Path(path).suffix.removeprefix('.')}\n{text}\n````````\n"
