"""Read what `strace -f -o FILE` wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# The network calls, what makes a thread or a process, and the call that the programs mark with.
STRACE = (
    "strace",
    "-f",
    "--seccomp-bpf",
    "-qq",
    "-e",
    "trace=%network,clone,clone3,fork,vfork,access,faccessat,faccessat2",
)

_BEGINS, _ENDS = "/flower-event-begins", "/flower-event-ends"
_MARKS = ("access", "faccessat", "faccessat2")
_SPAWNS = ("clone", "clone3", "fork", "vfork")
_SENDS = ("connect", "sendto", "sendmsg", "sendmmsg")

_CALL = re.compile(r"(?P<task>\d+) +(?:<\.\.\. )?(?P<name>\w+)[ (]")
_CHILD = re.compile(r"= (\d+)$")
_IPV4 = re.compile(r'inet_addr\("([^"]+)"\)')
_IPV6 = re.compile(r'inet_pton\(AF_INET6, "([^"]+)"')


@dataclass(frozen=True, slots=True)
class Call:
    """A line of the trace: the thread, the system call, and the whole text.

    A call that another thread's interrupts has two lines.
    """

    task: int
    name: str
    text: str

    @property
    def networks(self) -> bool:
        """Whether it is one of the network calls."""
        return self.name not in (*_MARKS, *_SPAWNS)

    @property
    def starts_thread(self) -> bool:
        """Whether it makes a thread of this process."""
        return self.name in _SPAWNS and "CLONE_THREAD" in self.text


def calls(trace: Path) -> list[Call]:
    """Return the calls of every process, in the order of the trace; signals and ends are left."""
    matches = (_CALL.match(line) for line in trace.read_text("utf-8", "replace").splitlines())
    return [Call(int(match["task"]), match["name"], match.string) for match in matches if match]


def destinations(recorded: Iterable[Call]) -> set[str]:
    """Return the internet addresses that something was connected or sent to."""
    texts = [
        call.text for call in recorded if call.name in _SENDS and "AF_NETLINK" not in call.text
    ]
    found = {address for text in texts for address in _IPV4.findall(text) + _IPV6.findall(text)}
    return {address.removeprefix("::ffff:") for address in found}


def during_events(recorded: Iterable[Call]) -> list[list[Call]]:
    """Return, for each event, what its thread called while `event()` ran.

    Processes that it started then are followed to their ends.
    """
    events: list[list[Call]] = []
    inside: dict[int, list[Call]] = {}
    for call in recorded:
        if _BEGINS in call.text:
            inside[call.task] = []
            events.append(inside[call.task])
        elif _ENDS in call.text:
            inside.pop(call.task, None)
        elif call.task in inside:
            inside[call.task].append(call)
            child = _CHILD.search(call.text)
            if call.name in _SPAWNS and child:
                inside[int(child[1])] = inside[call.task]
    return events


def after_first_event(recorded: list[Call]) -> list[Call]:
    """Return what all processes called from the begin of the first event on."""
    first = next(number for number, call in enumerate(recorded) if _BEGINS in call.text)
    return recorded[first:]
