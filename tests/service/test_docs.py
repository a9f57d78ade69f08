"""The commands of docs/service.md, typed on a machine in the order in which they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.service.endpoints import Collector
from tests.service.machine import Machine
from tests.support.environments import REPOSITORY

PAGE = (REPOSITORY / "docs" / "service.md").read_text("utf-8")

# The machine has what these bring, from the wheel of this checkout; it reaches no index.
DONE_BEFORE = ("python3 -m venv ", "/opt/flwr-telemetry/bin/pip install ")
SECTIONS = ("Linux, for yourself", "Linux, for all users", "What each kind costs", "Cluster")


def section(title: str) -> str:
    """Return the text below a heading, up to the next one of its kind."""
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def commands(title: str) -> list[tuple[str, str]]:
    """Return who types what in a section: root what begins with `sudo`, a user the rest."""
    blocks = re.findall(r"```sh\n(.*?)```", section(title), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    typed = [("root" if line.startswith("sudo ") else "alice", line) for line in lines]
    return [(who, line.removeprefix("sudo ")) for who, line in typed]


@pytest.fixture(scope="module")
def alice(machine: Machine) -> Iterator[str]:
    """Log a user in, with an endpoint inside the machine; return the name."""
    collector = Collector(machine, 8787)
    machine.write("/etc/xdg/flwr-telemetry/config.toml", f'endpoint = "{collector.url}"\n')
    collector.start()
    machine.add_user("alice")
    machine.start_manager("alice")
    yield "alice"
    collector.stop()


@pytest.mark.parametrize("title", SECTIONS)
def test_every_command_of_a_section_works(machine: Machine, alice: str, title: str) -> None:
    """Each one ends with exit code 0."""
    typed = [(who, line) for who, line in commands(title) if not line.startswith(DONE_BEFORE)]

    assert typed
    for who, line in typed:
        environ = {"USER": alice, "SYSTEMD_PAGER": "cat"}
        done = machine.attempt("sh", "-c", line, user=who, environ=environ)
        assert (line, done.code) == (line, 0), done.stdout + done.stderr


def test_every_link_leads_somewhere() -> None:
    """The pages that this one names, and the headings in it, are there."""
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        name, _, heading = link.partition("#")
        text = (REPOSITORY / "docs" / name).read_text("utf-8") if name else PAGE
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = [re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings]
        assert not heading or heading in anchors, link
