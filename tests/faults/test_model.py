"""Random histories of writers, uploaders, crashes and people, against a model of the spool.

The code is the real one, down to the files; only the clock stands still until it is moved, and the
answers to requests are given by hand, in any order. A crash is an exception that nothing catches,
in place of a system call: what runs afterwards closes descriptors, as the kernel would.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import uploader.engine
import uploader.permission
from telemetry_spool import consent, paths
from telemetry_spool.consent import Mode
from telemetry_spool.ledger import LossLedger
from telemetry_spool.paths import Directories
from telemetry_spool.recorder import Recorder
from telemetry_spool.writer_settings import WriterConfig
from tests.conftest import Place
from tests.faults.table import survives
from uploader.carrier import Delivered, Message, Requests, Signal
from uploader.config import load
from uploader.engine import Engine
from uploader.housekeeping import tidy
from uploader.outcome import Answer, Failure, Trouble
from uploader.settlement import SAVE_SECONDS

MAX_EVENT_BYTES = 400
MAX_SEGMENT_BYTES = 700
MAX_SPOOL_BYTES = 3000

CREATED = Answer(201, "application/json", body=b"{}")
REJECTED = Answer(400)
ANSWERS: dict[str, Answer | Failure] = {
    "accepted": CREATED,
    "rejected": REJECTED,
    "unavailable": Answer(503),
    "too many": Answer(429, retry_after="7"),
    "held": Answer(401),
    "no answer": Failure(Trouble.NETWORK, "reset"),
}

# What a process may die in front of.
CALLS = (
    "open",
    "write",
    "rename",
    "unlink",
    "ftruncate",
    "pread",
    "lseek",
    "fstat",
    "stat",
    "scandir",
)

PAUSES = st.sampled_from([0.1, SAVE_SECONDS, 30.0, 1000.0])

PROFILE = settings(
    max_examples=int(os.environ.get("MODEL_EXAMPLES", "400")),
    stateful_step_count=40,
    derandomize="MODEL_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
"""The same short histories each time; as many random ones as the variable MODEL_EXAMPLES says."""


class Crash(BaseException):
    """The process is dead."""


@dataclass(slots=True)
class Death:
    """Whether a process died, and the descriptors that the kernel has to close then."""

    happened: bool = False
    opened: set[int] = field(default_factory=set)

    def bury(self) -> None:
        """Close what is still open."""
        for descriptor in self.opened:
            with suppress(OSError):
                os.close(descriptor)


@contextmanager
def dying(countdown: int) -> Iterator[Death]:
    """Die in front of the system call with this number, and of every one after it."""
    death = Death()
    real = {name: getattr(os, name) for name in CALLS}

    def call(name: str, *arguments: Any, **keywords: Any) -> Any:
        nonlocal countdown
        countdown -= 1
        if countdown <= 0:
            raise Crash
        result = real[name](*arguments, **keywords)
        if name == "open":
            death.opened.add(result)
        return result

    with ExitStack() as stack:
        for name in CALLS:
            stack.enter_context(patch.object(os, name, partial(call, name)))
        try:
            yield death
        except Crash:
            death.happened = True


class Clock:
    """The engine's module `time`: it moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1e6

    def monotonic(self) -> float:
        """Return the seconds of this clock."""
        return self.now

    def time(self) -> float:
        """Return the same seconds."""
        return self.now


class Lanes:
    """A carrier whose requests wait for the answers that the machine gives."""

    def __init__(self, submitted: Callable[[bytes], None]) -> None:
        self.requests: list[tuple[int, list[bytes]]] = []
        """The tickets, and the lines that each request carries."""
        self._submitted = submitted
        self._messages: list[Message] = []

    def submit(self, requests: Requests) -> None:
        """Take requests."""
        batched = requests.headers["Content-Type"] == "application/x-ndjson"
        for ticket, body in zip(requests.tickets, requests.bodies, strict=True):
            lines = body.removesuffix(b"\n").split(b"\n") if batched else [body]
            for line in lines:
                self._submitted(line)
            self.requests.append((ticket, lines))

    def put(self, signal: Signal) -> None:
        """Deliver a signal."""
        self._messages.append(signal)

    def answer(self, tickets: Sequence[int], answer: Answer | Failure) -> None:
        """Deliver the same answer to requests."""
        self._messages.append(Delivered(tickets, answer))

    def collect(self, timeout: float) -> list[Message]:
        """Return what was delivered."""
        del timeout
        messages, self._messages = self._messages, []
        return messages

    def end(self) -> None:
        """Hold nothing."""


class Histories(RuleBasedStateMachine):
    """What may happen, and what must be so after each of it."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.place = Place(self.directory / "telemetry")
        self.directories = Directories(self.place.root, self.place.spool)
        self.place.spool.mkdir(parents=True)
        self.mode_file = self.directory / "mode"
        self.mode = Mode.ON
        self.clock = Clock()
        self.patched = ExitStack()
        self.patched.enter_context(patch.object(uploader.engine, "time", self.clock))
        self.patched.enter_context(patch.object(uploader.permission, "time", self.clock))
        self.patched.enter_context(patch.object(uploader.permission, "_MOMENT_SECONDS", 0.0))
        self.number = 0
        self.batched = True
        """What the uploader sends: batches or events, in turns from one uploader to the next."""
        self.trusted = False
        """Whether the uploader that is running has had anything accepted."""

        self.owed: set[bytes] = set()
        """Recorded, and neither accepted nor rejected, nor taken away by quota or person."""
        self.local: set[bytes] = set()
        """Recorded in mode local, and not taken away."""
        self.possible: set[bytes] = set()
        """What may arrive: every event attempted, and what corruption made of some."""
        self.accepted: dict[bytes, float] = {}
        """What the endpoint has, and when the uploader that is running learned it."""
        self.rejected: set[bytes] = set()
        self.may_come_again: set[bytes] = set()
        """Not saved as dealt with when an uploader died."""
        self.corrupt: set[bytes] = set()
        """In a segment whose bytes were changed: its progress may be void."""
        self.taken: set[bytes] = set()
        """Taken away or made unreadable while it was not dealt with."""
        self.held: tuple[Path, int] | None = None
        """A sealed segment that another process has locked, and its descriptor."""
        self.lost = 0
        self.uncounted = 0
        """Losses in the ledger at least, and how many more there may be."""

        self.recorder = self._new_recorder()
        self.engine, self.lanes = self._new_engine()

    def _new_recorder(self) -> Recorder:
        return Recorder(
            WriterConfig(
                self.directories,
                self.mode_file,
                MAX_EVENT_BYTES,
                MAX_SEGMENT_BYTES,
                MAX_SPOOL_BYTES,
                fsync=False,
                problems=(),
            )
        )

    def _new_engine(self) -> tuple[Engine, Lanes]:
        lanes = Lanes(self._submitted)
        flags: dict[str, object] = {
            "endpoint": "http://127.0.0.1/",
            "concurrency": 3,
            "rescan_interval": 30,
        }
        self.batched = not self.batched
        self.trusted = False
        if self.batched:
            flags |= {"sink": "ndjson", "batch_events": 3, "batch_seconds": 0}
        config = replace(load(flags, self.place.environ), mode_file=self.mode_file)
        return Engine(config, lanes, lambda: 0.0), lanes

    def teardown(self) -> None:
        """Let everything be sent, and compare what is where with what must be."""
        try:
            self._drain()
        finally:
            self.engine.backlog.close()
            self.patched.close()
            shutil.rmtree(self.directory)

    # What writers do

    @rule(padding=st.integers(0, 250), events=st.integers(1, 8))
    def record(self, padding: int, events: int) -> None:
        """Record events as the mode allows."""
        for _ in range(events):
            before = self._pending()
            line = self._event(padding)
            assert self.recorder.consent().mode is self.mode
            assert self.recorder.record(line, self.mode) is (self.mode is not Mode.OFF)
            self.lost += self._evicted(before + self._note(line))
        self.engine.ring()

    @rule(padding=st.integers(0, 250), countdown=st.integers(1, 40))
    def record_and_die(self, padding: int, countdown: int) -> None:
        """Record an event in a process that dies meanwhile, or just after."""
        before = self._pending()
        line = self._event(padding)
        with dying(countdown) as death:
            self.recorder.record(line, self.mode)
        if death.happened:
            death.bury()
            self.uncounted += self._evicted(before)
        else:
            self.lost += self._evicted(before + self._note(line))
        self.recorder = self._new_recorder()
        self.engine.ring()

    @rule(padding=st.integers(0, 250))
    def record_late(self, padding: int) -> None:
        """Record an event; between open and lock an uploader seals, sends and deletes all."""
        before = self._pending()
        line = self._event(padding)
        real, pending = os.open, [str(self.place.active())]

        def opening(path: Any, *arguments: Any, **keywords: Any) -> int:
            descriptor = real(path, *arguments, **keywords)
            if path in pending:
                pending.clear()
                self._deliver_all()
                before.clear()
                before.update(self._pending())
            return descriptor

        with patch.object(os, "open", opening):
            self.recorder.record(line, self.mode)
        self.lost += self._evicted(before + self._note(line))

    @rule()
    def record_too_large(self) -> None:
        """Refuse an event that is too large, and count it."""
        if self.mode is not Mode.OFF:
            self.lost += 1
        assert not self.recorder.record(b"x" * (MAX_EVENT_BYTES + 1), self.mode)

    def _event(self, padding: int) -> bytes:
        self.number += 1
        payload = {"event_type": "MODEL", "number": self.number, "x": "x" * padding}
        line = json.dumps(payload).encode()
        if self.mode is Mode.ON:
            self.possible.add(line)
        return line

    def _note(self, line: bytes) -> Counter[bytes]:
        """Note that an event was recorded, if it was; return what there is to deliver or keep."""
        if self.mode is Mode.OFF:
            return Counter()
        (self.owed if self.mode is Mode.ON else self.local).add(line)
        return Counter([line])

    def _evicted(self, before: Counter[bytes]) -> int:
        """Return how many lines the quota has taken away since these were pending."""
        gone = before - self._pending()
        assert not {line for _, lines in self.lanes.requests for line in lines} & set(gone)
        self._take_away(set(gone))
        return gone.total()

    # What the uploader does

    @rule()
    def work(self) -> None:
        """Let the uploader do what it would do now."""
        self.engine.work()
        self.engine.wait(0)
        self._check_saved()

    @rule(countdown=st.integers(1, 60))
    def work_and_die(self, countdown: int) -> None:
        """Let the uploader die at a system call."""
        with dying(countdown) as death:
            self.engine.work()
            self.engine.wait(0)
        if death.happened:
            self._restart()
            death.bury()

    @precondition(lambda self: self.lanes.requests)
    @rule(index=st.integers(0, 2), answer=st.sampled_from(sorted(ANSWERS)))
    def answer(self, index: int, answer: str) -> None:
        """Answer any of the requests under way."""
        self._answer(index % len(self.lanes.requests), ANSWERS[answer])

    @precondition(lambda self: self.lanes.requests)
    @rule(index=st.integers(0, 2))
    def accept(self, index: int) -> None:
        """Accept any of the requests under way: most endpoints work most of the time."""
        self._answer(index % len(self.lanes.requests), CREATED)

    @precondition(lambda self: len(self.lanes.requests) > 1)
    @rule(order=st.permutations(range(3)), answer=st.sampled_from(sorted(ANSWERS)))
    def answer_together(self, order: list[int], answer: str) -> None:
        """Answer all the requests under way at once, and all alike."""
        under_way = self.lanes.requests
        self.lanes.requests = []
        chosen = [under_way[index] for index in order if index < len(under_way)]
        for _, lines in chosen:
            self._answered(lines, ANSWERS[answer])
        self.lanes.answer([ticket for ticket, _ in chosen], ANSWERS[answer])
        self.engine.wait(0)

    def _answer(self, index: int, answer: Answer | Failure) -> None:
        ticket, lines = self.lanes.requests.pop(index)
        self._answered(lines, answer)
        self.lanes.answer([ticket], answer)
        self.engine.wait(0)

    def _answered(self, lines: list[bytes], answer: Answer | Failure) -> None:
        if answer is CREATED:
            self.trusted = True
            self.accepted.update(dict.fromkeys(lines, self.clock.now))
        elif answer is REJECTED and len(lines) == 1 and (self.trusted or not self.batched):
            self.rejected.update(lines)
        else:  # who takes no batch at all may mean the batch, and not its only event
            return
        self.owed.difference_update(lines)
        self.may_come_again.difference_update(lines)

    @rule(answers=st.lists(st.integers(0, 2), min_size=1, max_size=6), seconds=PAUSES)
    def deliver(self, answers: list[int], seconds: float) -> None:
        """Let the uploader work for a while with an endpoint that works, in any order."""
        for index in answers:
            self.work()
            self.let_time_pass(seconds)
            if self.lanes.requests:
                self._answer(index % len(self.lanes.requests), CREATED)
        self.work()

    def _deliver_all(self) -> None:
        for _ in range(10):
            while self.lanes.requests:
                self._answer(0, CREATED)
            self.engine.ring()
            self.engine.work()
            self.engine.wait(0)
            self.clock.now += 31.0

    @rule(accepted=st.booleans())
    def die(self, accepted: bool) -> None:
        """Kill the uploader; the endpoint may have accepted what is under way."""
        if accepted:
            for _, lines in self.lanes.requests:
                self.accepted.update(dict.fromkeys(lines, self.clock.now))
        self._restart()

    def _restart(self) -> None:
        self.engine.backlog.close()
        self.may_come_again.update(self._pending())
        self.engine, self.lanes = self._new_engine()

    @rule()
    def stop(self) -> None:
        """Stop the uploader in good order: nothing comes again."""
        while self.lanes.requests:
            self._answer(0, CREATED)
        self.engine.shut_down()
        dealt_with = {*self.accepted, *self.rejected} - self.may_come_again - self.corrupt
        assert not dealt_with & set(self._pending())
        self.engine, self.lanes = self._new_engine()

    @rule()
    def tidy_up(self) -> None:
        """Tidy up, as the uploader does each hour."""
        tidy(self.directories, LossLedger(self.directories))

    # What time and people do

    @rule(seconds=PAUSES)
    def let_time_pass(self, seconds: float) -> None:
        """Let backoff, rescan and save become due."""
        self.clock.now += seconds

    @rule(mode=st.sampled_from([Mode.ON, Mode.ON, Mode.LOCAL, Mode.OFF]))
    def choose(self, mode: Mode) -> None:
        """Choose a mode."""
        consent.choose(self.mode_file, mode)
        self.mode = mode

    @precondition(lambda self: self._sealed() and not self.held)
    @rule(index=st.integers(0, 9))
    def hold(self, index: int) -> None:
        """Let another process lock a sealed segment, and be stopped; not if somebody else has."""
        segment = self._choose_sealed(index)
        if segment.stat().st_size == 0:
            return
        descriptor = os.open(segment, os.O_RDWR)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            self.held = (segment, descriptor)

    @precondition(lambda self: self.held)
    @rule()
    def release(self) -> None:
        """Let that process end."""
        assert self.held
        os.close(self.held[1])
        self.held = None

    @precondition(lambda self: self._sealed())
    @rule(index=st.integers(0, 9))
    def delete(self, index: int) -> None:
        """Delete a sealed segment by hand."""
        segment = self._choose_sealed(index)
        if self.held and self.held[0] == segment:
            return
        lines = set(_lines(segment))
        segment.unlink()
        self._take_away(lines)

    @precondition(lambda self: self._sealed())
    @rule(index=st.integers(0, 9), place=st.integers(0, 999), byte=st.integers(0, 255))
    def flip(self, index: int, place: int, byte: int) -> None:
        """Change a byte of a sealed segment."""
        segment = self._choose_sealed(index)
        content = bytearray(segment.read_bytes())
        if content:
            content[place % len(content)] = byte
            self._corrupt(segment, bytes(content))

    @precondition(lambda self: self._sealed())
    @rule(index=st.integers(0, 9), garbage=st.binary(min_size=1, max_size=40))
    def add_garbage(self, index: int, garbage: bytes) -> None:
        """Append bytes to a sealed segment."""
        segment = self._choose_sealed(index)
        self._corrupt(segment, segment.read_bytes() + garbage)

    def _corrupt(self, segment: Path, content: bytes) -> None:
        before = set(_lines(segment))
        # In place: the uploader may have it open.
        with segment.open("r+b") as file:
            file.write(content)
        after = set(_lines(segment))
        self._take_away(before - after)
        self.corrupt |= after
        if ".local." not in segment.name:
            self.possible |= after

    def _take_away(self, lines: set[bytes]) -> None:
        self.owed -= lines
        self.local -= lines
        self.taken |= lines

    # What must be so

    def _submitted(self, line: bytes) -> None:
        """Only with consent, only what was recorded for it, and nothing twice without a reason."""
        assert self.mode is Mode.ON
        assert line in self.possible
        if line in self.accepted or line in self.rejected:
            assert line in self.may_come_again | self.corrupt

    @invariant()
    def what_is_owed_is_in_the_spool(self) -> None:
        """Every event that was recorded stays until it is dealt with."""
        lines = self._present()
        assert self.owed <= lines
        assert self.local <= lines

    @invariant()
    def what_somebody_holds_stays(self) -> None:
        """A segment that is locked is deleted by nobody else."""
        if self.held:
            segment, descriptor = self.held
            assert segment.exists()
            assert os.fstat(descriptor).st_size > 0

    @invariant()
    def losses_are_counted(self) -> None:
        """The ledger has what was lost, but for what the dead were about to write."""
        counted = sum(record.get("lost", 0) for record in self.place.ledger())
        assert self.lost <= counted <= self.lost + self.uncounted

    def _check_saved(self) -> None:
        """What was accepted longer ago than `SAVE_SECONDS` is saved."""
        due = {
            line for line, when in self.accepted.items() if self.clock.now - when >= SAVE_SECONDS
        }
        excused = self.may_come_again | self.corrupt
        assert not (due - excused) & set(self._pending())

    def _drain(self) -> None:
        """Let the endpoint work and everything be sent."""
        if self.held:
            self.release()
        self.choose(Mode.ON)
        self.clock.now += 2000.0
        for _ in range(50):
            self._deliver_all()
            if not self.lanes.requests and self.engine.idle:
                break
        else:
            raise AssertionError("it never ends")
        self.engine.shut_down()
        tidy(self.directories, LossLedger(self.directories))
        assert self.owed == set()
        self._check_what_is_left()
        self._check_records()

    def _check_what_is_left(self) -> None:
        for name in self.place.names():
            kind = paths.kind_of(name)
            if kind is paths.Kind.ACTIVE:
                assert (self.place.spool / name).stat().st_size == 0  # its writer died too early
            else:
                assert (kind and kind.local) or paths.is_temporary(name), name
        assert self.local <= self._present()

    def _check_records(self) -> None:
        receipts = {record["id"] for record in self.place.ledger() if "id" in record}
        for line in set(self.accepted) - self.taken - self.rejected:
            assert hashlib.sha256(line).hexdigest() in receipts
        letters = Counter(
            letter["raw"] if "raw" in letter else json.dumps(letter["event"])
            for path in (self.place.root / "rejected").glob("*.jsonl")
            for letter in map(json.loads, path.read_bytes().splitlines())
        )
        for line in self.rejected:
            assert letters[line.decode("utf-8", "surrogateescape")] >= 1

    # What is in the spool, read without the help of the code under test

    def _sealed(self) -> list[Path]:
        return [path for path in self.place.sealed() if path.suffix == ".jsonl"]

    def _choose_sealed(self, index: int) -> Path:
        sealed = self._sealed()
        return sealed[index % len(sealed)]

    def _present(self) -> set[bytes]:
        """Return every line in the spool."""
        return {
            line
            for name in self.place.names()
            if name.endswith(".jsonl")
            for line in _lines(self.place.spool / name)
        }

    def _pending(self) -> Counter[bytes]:
        """Return the lines of all segments that no progress file covers."""
        return Counter(
            line
            for name in self.place.names()
            if name.endswith(".jsonl")
            for line in _unsaved(self.place.spool / name)
        )


def _lines(segment: Path) -> list[bytes]:
    return [line for _, line in _placed(segment)]


def _placed(segment: Path) -> Iterator[tuple[int, bytes]]:
    start = 0
    for line in segment.read_bytes().split(b"\n"):
        if line:
            yield start, line
        start += len(line) + 1


def _unsaved(segment: Path) -> list[bytes]:
    """Return the lines of a segment that its progress file does not cover."""
    progress = segment.with_suffix(".acked")
    offset, *beyond = map(int, progress.read_text().split()) if progress.exists() else [0]
    if offset and segment.read_bytes()[offset - 1 : offset] != b"\n":
        offset, beyond = 0, []
    return [line for start, line in _placed(segment) if start >= offset and start not in beyond]


@survives(
    "crash",
    "any history of writers, uploaders, answers, crashes, modes, deleted and corrupt segments",
    "every event is in the spool until it is delivered, rejected, evicted or deleted by a person",
)
def test_every_history_leaves_every_event_in_its_place() -> None:
    """Random histories; each step is followed by a look at the whole spool."""
    run_state_machine_as_test(Histories, settings=PROFILE)
