"""The frame that both commands share: help, version, completion."""

from __future__ import annotations

import typer

from telemetry_spool import __version__


def new_command(name: str, about: str) -> typer.Typer:
    """Return a command line with this name, to which subcommands are added."""
    app = typer.Typer(
        help=f"{about}\n\nExample: {name} status",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"{name} {__version__}")
            raise typer.Exit

    @app.callback()
    def options(
        version: bool = typer.Option(
            False, "--version", "-V", callback=show_version, is_eager=True, help="Show version."
        ),
    ) -> None:
        pass

    return app
