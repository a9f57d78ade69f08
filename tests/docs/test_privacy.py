"""The page on privacy leaves out no field, and what it tells people to type exists."""

from __future__ import annotations

import re

import pytest
import typer

from telemetry_spool.cli import app
from telemetry_spool.schema import event_types, fields
from tests.docs.pages import DOCS

PAGE = (DOCS / "privacy.md").read_text(encoding="utf-8")
SUBCOMMANDS = r"(?:\s(?:list|retry|drop|reset|forget))?"
COMMANDS = sorted(set(re.findall(rf"telemetry-spool\s([a-z]+{SUBCOMMANDS})", PAGE)))


def test_every_field_and_every_type_has_a_row() -> None:
    """Also those of groups that are added later."""
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    names = [field.path.rpartition(".")[2] for field in fields()]

    assert rows == [*names, *event_types()]


def test_the_page_names_commands() -> None:
    """The test below has something to look for."""
    assert {"audit", "off", "purge", "rejected retry"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_the_page_names_exists(name: str) -> None:
    """Of `telemetry-spool`, with its subcommand."""
    command = typer.main.get_command(app)
    for word in name.split():
        command = getattr(command, "commands", {})[word]
