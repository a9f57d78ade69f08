"""What the demo says, in colour on a terminal and as plain text everywhere else."""

from __future__ import annotations

from rich.console import Console

_CONSOLE = Console(highlight=False, markup=False, soft_wrap=True)
_ERRORS = Console(highlight=False, markup=False, soft_wrap=True, stderr=True)

INDENT = "   "


def heading(text: str) -> None:
    """Say what comes next."""
    _CONSOLE.print(f"\n{text}", style="bold")


def say(text: str) -> None:
    """Say something, indented below its heading."""
    _print(text, None)


def command(text: str) -> None:
    """Show a command line as a person would type it."""
    _print(f"$ {text}", "cyan")


def output(text: str) -> None:
    """Show what a command printed."""
    _print(text, "dim")


def checked(text: str) -> None:
    """Say what has been found to be true."""
    _print(f"[ok] {text}", "green")


def failed(text: str) -> None:
    """Say in one line on stderr why the demo ends here."""
    _ERRORS.print(f"demo: {text}", style="bold red")


def _print(text: str, style: str | None) -> None:
    for line in text.splitlines():
        _CONSOLE.print(f"{INDENT}{line}".rstrip(), style=style)
