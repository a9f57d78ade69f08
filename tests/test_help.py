"""Help is there for whoever asks: on narrow terminals, in pipes, without colours, in ASCII."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from tests.docs.command_line import SPOOL, UPLOADER
from tests.support.processes import DEADLINE_SECONDS, environment

EVERY = {each.name: each for each in (*SPOOL, *UPLOADER)}

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:[34][0-8]|9[0-7]|10[0-7])[;m]")

MACHINES = {
    "pipe": {"TERM": "xterm-256color"},
    "narrow": {"COLUMNS": "40"},
    "no colours": {"NO_COLOR": "1", "TERM": "xterm-256color"},
    "C": {"LC_ALL": "C"},
    "C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "strictly ASCII": {"PYTHONIOENCODING": "ascii:strict"},
}
ASCII = ("C without UTF-8", "strictly ASCII")

# Starting an interpreter for each of the many would take a minute and show no more.
ASK_FOR_EACH = r"""
import sys
from telemetry_spool.cli import main as telemetry_spool
from uploader.cli import main as telemetry_uploader

for name in sys.argv[1:]:
    program, *words = name.split()
    main = telemetry_spool if program == "telemetry-spool" else telemetry_uploader
    sys.argv = [program, *words, "--help"]
    code = None
    try:
        main()
    except SystemExit as end:
        code = end.code
    sys.stdout.write(f"\0{name}\0{code}\0")
"""


def answers(machine: str) -> dict[str, tuple[str, str]]:
    """Return the exit code and the text of each command's help, in one process on this machine."""
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_EACH, *EVERY],
        env=environment(MACHINES[machine]),
        check=False,
        capture_output=True,
        timeout=DEADLINE_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    text, names, codes = (done.stdout.decode("utf-8").split("\0")[part:-1:3] for part in range(3))
    return dict(zip(names, zip(codes, text, strict=True), strict=True))


def squeezed(text: str) -> str:
    """Return text without what a narrow terminal puts between its words."""
    return "".join(text.split())


def faults(name: str, code: str, text: str) -> list[str]:
    """Return what is wrong with a command's help."""
    examples = EVERY[name].examples
    wrong = [f"not shown: {each}" for each in examples if squeezed(each) not in squeezed(text)]
    if not examples:
        wrong.append("no example")
    if code != "0":
        wrong.append(f"exit code {code}")
    if ESCAPE in text:
        wrong.append("steers the terminal")
    return wrong


@pytest.mark.parametrize("machine", MACHINES)
def test_every_help_is_there(machine: str) -> None:
    """Each ends with 0, shows its examples in full, and has nothing that steers a terminal."""
    said = answers(machine)

    found = {name: faults(name, code, text) for name, (code, text) in said.items()}
    assert found == {name: [] for name in EVERY}
    if machine in ASCII:
        assert [name for name, (_, text) in said.items() if not text.isascii()] == []
    if columns := MACHINES[machine].get("COLUMNS"):
        lines = [line for _, text in said.values() for line in text.splitlines()]
        assert [line for line in lines if len(line) > int(columns)] == []


def test_help_on_a_terminal_has_no_colours_where_they_are_not_wanted() -> None:
    """NO_COLOR is respected on a terminal, too; what stands out there is bold."""
    assert COLOUR.search(on_terminal({})) is not None
    assert COLOUR.search(on_terminal({"NO_COLOR": "1"})) is None


def on_terminal(settings: dict[str, str]) -> str:
    """Return what a subcommand's help writes to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "telemetry_spool.cli", "list", "--help"],
        env=environment({"TERM": "xterm-256color"} | settings),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 10_000):
                said += piece
        except OSError:
            pass  # the other end is closed
        assert process.wait(DEADLINE_SECONDS) == 0
    os.close(ours)
    return said.decode()
