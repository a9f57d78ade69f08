"""A first session in a real terminal: `python -m tests.docs.session` plays it and writes the page.

Flower is real, so is the uploader; the endpoint is on this machine.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from telemetry_spool.paths import DROP_BOX, POLICY_FILE
from telemetry_spool.segment import event_id
from tests.docs.stand_ins import with_stand_ins
from tests.docs.terminal import PROMPT, Terminal, terminal, why_no_terminal
from tests.support.endpoint import Endpoint
from tests.support.environments import environment

PAGE = Path(__file__).parents[2] / "docs" / "session.md"

_EXPERIMENT = """\
from flwr.supercore.telemetry import EventType, event

event(EventType.PYTHON_API_RUN_SIMULATION_ENTER, {"backend": "ray", "num-supernodes": 10})
event(EventType.PYTHON_API_RUN_SIMULATION_LEAVE, {"success": True})
"""


@dataclass(frozen=True, slots=True)
class Step:
    """What is explained, then typed, and answered to a question; `{0}` is the first event's id."""

    text: str
    command: str
    answers: dict[str, str] = field(default_factory=dict)


YES = {"[y/N]:": "y"}

STEPS = (
    Step(
        "## Nothing has happened yet\n\nThe package is installed beside Flower; nothing else was "
        "done.",
        "telemetry-spool status",
    ),
    Step(
        "## Flower records\n\nThis program stands for a simulation: it reports what "
        "`run_simulation` reports.",
        "cat experiment.py",
    ),
    Step("It neither waits for a network nor prints anything.", "python experiment.py"),
    Step(
        "## Look\n\nThe events are here and nowhere else. The id of an event may be shortened.",
        "telemetry-spool list",
    ),
    Step("One of them, exactly as it would be sent:", "telemetry-spool show {0}"),
    Step("What is that, and why?", "telemetry-spool show --explain {0} | head -21"),
    Step("Is there anything personal in them?", "telemetry-spool audit"),
    Step("What would leave this machine, and how? Nothing does yet.", "telemetry-spool preview"),
    Step(
        "## Decide\n\nRather not: from now on events are recorded, and stay here.",
        "telemetry-spool local",
    ),
    Step("", "python experiment.py"),
    Step("", "telemetry-spool list"),
    Step(
        "One event may go all the same. It is shown as it will go, and there is a question.",
        "telemetry-spool send {0}",
        YES,
    ),
    Step("", "telemetry-uploader once"),
    Step("There is a receipt.", "telemetry-spool list --state sent"),
    Step("The other one of the first run goes nowhere.", "telemetry-spool rm {1}", YES),
    Step("Flower tells installations apart by a random id:", "telemetry-spool source show"),
    Step("## Switch it off\n\nFor good, running processes included.", "telemetry-spool off", YES),
    Step("", "python experiment.py"),
    Step("Nothing was recorded by that.", "telemetry-spool status"),
)

_HEAD = """\
# A first session

Played in a real terminal by `python -m tests.docs.session`; a test plays it again and compares.
Flower and the uploader are real, the endpoint is on the same machine (`FLWR_TELEMETRY_ENDPOINT`).
Ids, times, paths, sizes and what describes the machine are stand-ins.
[commands.md](commands.md) has every command with all its options.
"""


def why_no_session() -> str | None:
    """Return why the session cannot be played here; None where it can."""
    if sys.platform != "linux":
        return "paths and messages are those of Linux"
    for path in (DROP_BOX, POLICY_FILE):
        if path.exists():
            return f"{path} is in force on this machine"
    return why_no_terminal()


def session_page() -> str:
    """Play the session and return `docs/session.md`."""
    flower = environment("flwr-1.41")
    with tempfile.TemporaryDirectory() as directory, Endpoint() as endpoint:
        home = Path(directory) / "home"
        home.mkdir()
        (home / "experiment.py").write_text(_EXPERIMENT, "utf-8")
        environ = {
            "HOME": str(home),
            "XDG_CONFIG_DIRS": str(home / "etc"),  # this machine's own settings are left out
            "PATH": f"{flower.bin}:/usr/bin:/bin",
            "FLWR_TELEMETRY_ENDPOINT": endpoint.url,
        }
        with terminal(Path(directory), home, environ) as shown:
            ids = _play(shown, home / ".local/state/flwr-telemetry/spool")
            page = _HEAD + "".join(map(_section, STEPS, shown.commands(), shown.said()))
    places = [(str(home), "/home/you"), (str(flower.root), "/home/you/venv")]
    return with_stand_ins(page, ids, places)


def _play(shown: Terminal, spool: Path) -> Sequence[str]:
    """Type each command; return the ids of all events that were recorded, in their order."""
    ids: dict[str, None] = {}
    for step in STEPS:
        shown.run(step.command.format(*(each[:6] for each in ids)), step.answers)
        for segment in sorted(spool.glob("*.jsonl"), key=lambda path: path.stat().st_ctime_ns):
            ids |= {event_id(line): None for line in segment.read_bytes().splitlines()}
    return list(ids)


def _section(step: Step, command: str, said: str) -> str:
    text = f"\n{step.text}\n" if step.text else ""
    return f"{text}\n```console\n{PROMPT} {command}\n{said}```\n"


if __name__ == "__main__":
    if reason := why_no_session():
        sys.exit(f"the session cannot be played here: {reason}")
    PAGE.write_text(session_page(), encoding="utf-8")
