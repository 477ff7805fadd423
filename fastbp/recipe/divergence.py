"""What a run does when it diverges: the setting ``on_divergence``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import specs
from .specs import Parameter

__all__ = ["RESPONSES", "Response", "canonical", "falls_allowed"]


@dataclass(frozen=True, slots=True)
class Response:
    """A response, and the numbers that its text may give."""

    parameters: tuple[Parameter, ...] = ()


RESPONSES: dict[str, Response] = {
    "stop": Response(),
    "rollback": Response((Parameter("FACTOR", 0.5, below=1), Parameter("TRIES", 3, whole=True))),
}
"""Every response: the one place where they are declared."""


def canonical(spec: Any) -> str:
    """Return a response's text as it is kept; ConfigError unless it is one."""
    return specs.canonical("on_divergence", spec, RESPONSES)


def falls_allowed(spec: str) -> tuple[float, int]:
    """Return what a rollback multiplies the learning rate by, and how many there may
    be.

    ``"stop"`` allows none.
    """
    name, values = specs.parse("on_divergence", spec, RESPONSES)
    if name == "stop":
        return 1.0, 0
    factor, tries = values
    return factor, int(tries)
