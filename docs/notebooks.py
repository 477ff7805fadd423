"""Hook of mkdocs.yml: notebooks of the guide as pages, executed when the site is built.

The notebooks are kept without outputs, so none can be out of date.
"""

from __future__ import annotations

import html
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent
SECONDS = 300  # for a cell
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def on_files(files: Files, config: Any) -> Files:
    """Replace each notebook by a page of its cells and outputs."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        files.remove(file)
        text = page(ROOT / file.src_uri)
        files.append(File.generated(config, file.src_uri.replace(".ipynb", ".md"), content=text))
    return files


def page(path: Path) -> str:
    """Return the text of an executed notebook, as Markdown."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": folder}})
        client.execute()
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        parts += [shown for output in cell.outputs if (shown := output_text(output))]
    return "\n\n".join(parts) + "\n"


def output_text(output: Any) -> str:
    """Return one output of a cell: HTML, an image, or text."""
    if output.output_type == "stream":
        return block(output.text)
    data = output.get("data", {})
    if "text/html" in data:
        # A blank line would end the HTML in Markdown.
        lines = (line.strip() for line in data["text/html"].splitlines())
        return f'<div markdown="0">{" ".join(line for line in lines if line)}</div>'
    if "image/png" in data:
        source = "".join(data["image/png"].split())
        return f'<img alt="output" src="data:image/png;base64,{source}">'
    return block(data.get("text/plain", ""))


def block(text: str) -> str:
    """Return text that stands as it is; empty for none."""
    plain = ESCAPES.sub("", text).strip("\n")
    return f"<pre><code>{html.escape(plain)}</code></pre>".replace("\n\n", "\n \n") if plain else ""
