"""A terminal with a shell in it, as a person sees it: `tmux` draws it, and tells what is on it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.support.processes import DEADLINE_SECONDS, poll

PROMPT = "$"
_LOOK_SECONDS = 0.1  # a look is a process
COLUMNS, ROWS = 100, 40

_CONFIGURATION = """\
set -g history-limit 100000
set -g default-terminal screen
"""


def why_no_terminal() -> str | None:
    """Return why there can be none here; None where there can."""
    return None if shutil.which("tmux") else "tmux is not installed"


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal of 100 columns and 40 rows with a shell whose prompt is `$ `."""

    directory: Path  # for the socket of its server
    environ: Mapping[str, str]

    def run(self, command: str, answers: Mapping[str, str]) -> None:
        """Type a command; give an answer where its question ends so; wait for the next prompt."""
        asked = self._prompts()
        self._type(command)
        for question, answer in answers.items():
            self._wait(partial(self._asks, question), f"{command}: {question}")
            self._type(answer)
        self._wait(lambda: self._at_prompt() and self._prompts() > asked, f"the end of {command}")

    def commands(self) -> list[str]:
        """Return what has been typed at each prompt."""
        beginning = f"{PROMPT} "
        return [row.removeprefix(beginning) for row in self._rows() if row.startswith(beginning)]

    def said(self) -> list[str]:
        """Return what each command has said, questions and answers included."""
        texts: list[str] = []
        for row in self._rows()[:-1]:
            if row.startswith(f"{PROMPT} "):
                texts.append("")
            else:
                texts[-1] += f"{row}\n"
        return texts

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        poll(condition, what, every=_LOOK_SECONDS)

    def _at_prompt(self) -> bool:
        return self._rows()[-1] == PROMPT

    def _asks(self, question: str) -> bool:
        return self._rows()[-1].endswith(question)

    def _prompts(self) -> int:
        return sum(row.split(" ")[0] == PROMPT for row in self._rows())

    def _rows(self) -> list[str]:
        """Return all that has ever been shown, rows that were too long for it joined again."""
        shown = self._tmux("capture-pane", "-p", "-J", "-S", "-").rstrip()
        return [row.rstrip() for row in shown.split("\n")]

    def _type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def _tmux(self, *arguments: str) -> str:
        return subprocess.run(
            [
                "tmux",
                "-u",
                "-S",
                self.directory / "tmux",
                "-f",
                self.directory / "conf",
                *arguments,
            ],
            env=dict(self.environ),
            check=True,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        ).stdout

    def begin(self, home: Path) -> None:
        """Start the shell."""
        (self.directory / "conf").write_text(_CONFIGURATION, "utf-8")
        rules = self.directory / "bashrc"
        rules.write_text(f"PS1='{PROMPT} '\nunset HISTFILE\n", "utf-8")
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        shell = ("bash", "--noprofile", "--rcfile", str(rules), "-i")
        self._tmux("new-session", "-d", *size, "-c", str(home), *shell)

    def wait_for_prompt(self) -> None:
        """Wait until the shell is ready."""
        self._wait(self._at_prompt, "the first prompt")

    def end(self) -> None:
        """End it, and what still runs in it."""
        self._tmux("kill-server")


@contextmanager
def terminal(directory: Path, home: Path, environ: Mapping[str, str]) -> Iterator[Terminal]:
    """Open a terminal whose shell is in `home`; its own files are in `directory`."""
    shown = Terminal(directory, {**environ, "LANG": "C.UTF-8"})
    shown.begin(home)
    try:
        shown.wait_for_prompt()
        yield shown
    finally:
        shown.end()
