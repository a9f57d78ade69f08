"""What the README tells people to type works, and what it names exists."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry_spool.segment import event_id
from telemetry_spool.writer_settings import writer_config
from tests.support.endpoint import Endpoint

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE_ID = "3f2a91"
FOREVER = "telemetry-uploader run"
FINDING = ("telemetry-spool audit", "telemetry-spool doctor")
"""Commands that end with 1 when they find something, as they do in this environment."""


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    """Return the commands of ours that the README's shell blocks show, without their comments."""
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("telemetry-") and line != FOREVER]


def environment(endpoint: Endpoint) -> dict[str, str]:
    """Return an environment in which our commands are found and nobody else is reached."""
    beside_python = str(Path(sys.executable).parent)
    return os.environ | {
        "PATH": f"{beside_python}{os.pathsep}{os.environ['PATH']}",
        "FLWR_TELEMETRY_ENDPOINT": endpoint.url,
    }


def record_one_event(environ: dict[str, str]) -> bytes:
    """Spool one event as the README's Python block does and return its line."""
    subprocess.run([sys.executable, "-c", blocks("python")[0]], env=environ, check=True)
    spool = writer_config(environ).directories.spool
    (segment,) = spool.glob("*.active.jsonl")
    return segment.read_bytes().splitlines()[-1]


def test_readme_shows_commands() -> None:
    """The tests below have something to run."""
    assert len(commands()) >= 5


@pytest.mark.parametrize("command", commands())
def test_command_in_the_readme_works(command: str) -> None:
    """Every command of ours in a shell block ends with exit code 0 and says nothing on stderr."""
    with Endpoint() as endpoint:
        environ = environment(endpoint)
        line = record_one_event(environ)
        typed = command.replace(EXAMPLE_ID, event_id(line)[: len(EXAMPLE_ID)])
        shown, _, _ = typed.partition("|")
        done = subprocess.run(
            shlex.split(shown), env=environ, capture_output=True, text=True, check=False
        )
    complaints = [text for text in done.stderr.splitlines() if not text.startswith("INFO")]
    assert (done.returncode, complaints) == (int(command in FINDING), [])
    if "--json" in command:
        assert [json.loads(text)["event_type"] for text in done.stdout.splitlines()]


def test_python_example_records_an_event_with_the_whole_payload() -> None:
    """The Python block records an event of the named type with its details and a context."""
    with Endpoint() as endpoint:
        event = json.loads(record_one_event(environment(endpoint)))
    assert (event["event_type"], event["event_details"]) == ("MY_EXPERIMENT_ENTER", {"rounds": 3})
    assert list(event) == ["event_type", "event_details", "context"]


def test_every_link_into_the_repository_leads_somewhere() -> None:
    """The files that the README links to are there."""
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
