"""Command line flags made from the settings, so that a setting has one name everywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Optional

import typer

from telemetry_spool.settings import Setting, boolean
from uploader.settings import FLAG_SETTINGS


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag for each setting; it gets those that were used as `flags`."""

    @wraps(command)
    def wrapper(**arguments: Any) -> None:
        flags = {
            setting.name: value
            for setting in FLAG_SETTINGS
            if (value := arguments.pop(setting.name)) is not None
        }
        command(flags=flags, **arguments)

    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "flags"]
    flags = [_parameter(setting) for setting in FLAG_SETTINGS]
    wrapper.__signature__ = signature.replace(parameters=[*own, *flags])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *flags]}
    return wrapper


def _parameter(setting: Setting) -> inspect.Parameter:
    is_switch = setting.convert is boolean
    kind: type = bool if is_switch else str
    default = "" if setting.default is None else f" Default: {shown(setting.default)}."
    option = typer.Option(
        f"{setting.flag}/--no-{setting.flag[2:]}" if is_switch else setting.flag,
        help=f"{setting.summary[0].upper()}{setting.summary[1:]}.{default}",
        metavar=None if is_switch else "VALUE",
        show_default=False,
        rich_help_panel="Settings (site policy > flag > environment > config.toml > default)",
    )
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[Optional[kind], option],  # noqa: UP045 - `kind | None` is no type here
    )


def shown(value: object) -> str:
    """Return a value as a person writes it."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
