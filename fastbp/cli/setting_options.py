"""Options of the command line that are made of the declarations of settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ..recipe.checks import format_hidden
from ..recipe.setting import GROUPS
from ..recipe.settings import Settings, declarations, read_settings

__all__ = ["option_of", "settings_of", "values_of", "with_settings"]

_PLAIN = (int, float, bool)
"""Types of settings that the command line reads by itself; text is left to the
setting's own check.
"""


def option_of(name: str, default: Any = None, settings: type[Settings] = Settings) -> inspect.Parameter:
    """Return the parameter of a command that stands for one setting.

    Parameters
    ----------
    name
        Of the setting; the option is called the same, with dashes.
    default
        Of this command, None for the setting's own.
    """
    declared = declarations(settings)[name]
    [field] = [field for field in fields(settings) if field.name == name]
    default = field.default if default is None else default
    kept = get_type_hints(settings)[name]
    is_repeated = kept == tuple[str, ...]
    is_plain = kept in _PLAIN and isinstance(field.default, kept)  # not if the default is a word, "auto"
    kind: Any = list[str] | None if is_repeated else kept if is_plain else str
    if is_repeated:
        shown: Any = list(default) or None
    else:
        shown = format_hidden(default) if isinstance(default, tuple) else default
    flag = name.replace("_", "-")
    # A switch can be turned off, too: a config file may have turned it on.
    option = typer.Option(
        f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}",
        metavar=declared.form or None,
        help=declared.help,
        rich_help_panel=declared.group,
        show_default=default != "",
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=str(shown) if kind is str else shown,
        annotation=Annotated[kind, option],
    )


def with_settings(
    names: Iterable[str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    settings: type[Settings] = Settings,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each setting; it is told those that were given as
    ``given``.

    Parameters
    ----------
    names
        Of the settings, all by default.
    defaults
        Of this command, where they differ from the settings' own; they count as given.
    recipe
        Defaults to show, which do not count as given: the kind of data decides.
    """
    wanted = tuple(declarations(settings) if names is None else names)
    wanted = tuple(sorted(wanted, key=lambda name: GROUPS.index(declarations(settings)[name].group)))
    own, shown = dict(defaults or {}), {**(recipe or {}), **(defaults or {})}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(ctx: typer.Context, **values: Any) -> None:
            found = {name: values.pop(name) for name in wanted}
            given = {name: value for name, value in found.items() if name in own or _is_given(ctx, name)}
            command(given=given, **values)

        signature = inspect.signature(command, eval_str=True)
        rest = [parameter for parameter in signature.parameters.values() if parameter.name != "given"]
        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        options = [option_of(name, shown.get(name), settings) for name in wanted]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*options, *rest)]
        run.__signature__ = signature.replace(parameters=[context, *parameters])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (context, *parameters)}
        return run

    return decorate


def _is_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def settings_of(given: Mapping[str, Any], config: Path | None = None) -> Settings:
    """Return the given settings, else those of the config file, else the defaults."""
    return Settings.from_mapping(values_of(given, config))


def values_of(given: Mapping[str, Any], config: Path | None = None) -> dict[str, Any]:
    """Return what was given, else what the config file has; nothing by default."""
    values = {name: () if value is None else value for name, value in given.items()}
    return {**(read_settings(config) if config else {}), **values}
