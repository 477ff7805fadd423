"""Scripts of the interactive pages, for tests that run them by themselves."""

from importlib.resources import files


def shared_script(name):
    """The text of a script that pages share."""
    return (files("fastbp.pages") / "scripts" / name).read_text(encoding="utf-8")
