"""The engine with a scripted transport: what is sent, in which order, and what is left alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from telemetry_spool.listing import SegmentFile
from tests.conftest import Place
from tests.test_append import locked_by_another_process
from uploader import config
from uploader.engine import Engine
from uploader.lanes import Lanes
from uploader.outcome import Answer, Failure

# Far more turns than any of these scripts needs: it ends a test in which nothing comes to an end.
_TURNS = 500


class Scripted:
    """A transport that answers as a function of the event says, and keeps what it was given."""

    def __init__(self, status: Callable[[str], int]) -> None:
        self._status = status
        self.sent: list[str] = []

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """Answer with the status for the event's type."""
        assert headers["Content-Type"] == "application/json"
        kind = str(json.loads(body)["event_type"])
        self.sent.append(kind)
        return Answer(self._status(kind))


@pytest.fixture
def spool(place: Place) -> Callable[..., None]:
    """Return what appends an event of each type that it is given."""

    def append(*kinds: str) -> None:
        for kind in kinds:
            place.open().append(json.dumps({"event_type": kind}).encode())

    return append


def engine_for(place: Place, transport: Scripted, **flags: object) -> Engine:
    """Return an engine with one request at a time, which waits for nothing if it fails."""
    loaded = config.load({"concurrency": 1} | flags, place.environ)
    return Engine(loaded, Lanes(loaded.concurrency, lambda: transport), lambda: 0.0)


def seal(place: Place, name: str, kind: str) -> Path:
    """Put a sealed segment with an event of this type into the spool."""
    path = place.spool / name
    path.write_text(json.dumps({"event_type": kind}) + "\n")
    return path


def turn_until(engine: Engine, ended: Callable[[], bool]) -> None:
    """Let the engine work until something is the case."""
    for _ in range(_TURNS):
        if ended():
            return
        engine.wait(min(0.05, engine.work()))
    pytest.fail("it never ends")


def test_an_event_that_is_never_answered_well_holds_up_no_other(
    place: Place, spool: Callable[..., None]
) -> None:
    """An endpoint that stumbles over one event gets all the others, also later ones."""
    transport = Scripted(lambda kind: 500 if kind == "POISON" else 201)
    engine = engine_for(place, transport)
    spool("POISON", *(f"GOOD-{number}" for number in range(5)))

    turn_until(engine, lambda: engine.counters.accepted == 5)
    turn_until(engine, lambda: transport.sent.count("POISON") >= 4)
    assert engine.gate.trouble is None, "the endpoint works, and nobody waits for it"
    spool("LATER")
    engine.ring()
    turn_until(engine, lambda: engine.counters.accepted == 6)
    turn_until(engine, lambda: len(list(place.spool.glob("*.jsonl"))) == 1)

    engine.shut_down()
    (left,) = place.spool.glob("*.jsonl")
    assert b"POISON" in left.read_bytes()


def test_a_ring_with_a_name_has_only_that_file_looked_at(
    place: Place, spool: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event costs the same beside 10 others and beside a million; what nobody rang for waits."""
    transport = Scripted(lambda _: 201)
    engine = engine_for(place, transport)
    spool("FIRST")
    turn_until(engine, lambda: engine.counters.accepted == 1)

    def refuse(directory: str) -> list[SegmentFile]:
        pytest.fail(f"{directory} is listed")

    with monkeypatch.context() as patched:
        patched.setattr("uploader.lookout.list_segments", refuse)
        for number in range(3):
            spool(f"RUNG-{number}")
            engine.ring(place.active().name)
            turn_until(engine, lambda wanted=number + 2: engine.counters.accepted == wanted)  # type: ignore[misc]

    spool("LAST")
    engine.ring()
    turn_until(engine, lambda: engine.counters.accepted == 5)
    engine.shut_down()
    assert transport.sent == ["FIRST", "RUNG-0", "RUNG-1", "RUNG-2", "LAST"]


def test_what_was_rejected_is_not_sent_again_while_it_cannot_be_set_aside(
    place: Place, spool: Callable[..., None]
) -> None:
    """Dead letters that cannot be written wait; new events ring all the time."""
    (place.root).mkdir(parents=True)
    obstacle = place.root / "rejected"
    obstacle.touch()
    transport = Scripted(lambda kind: 422 if kind == "BAD" else 201)
    engine = engine_for(place, transport, rescan_interval=0.1)
    for number in range(4):
        spool("BAD" if number == 0 else "GOOD")
        engine.ring()
        turn_until(engine, lambda wanted=number: engine.counters.accepted == wanted)  # type: ignore[misc]
    assert transport.sent.count("BAD") == 1

    obstacle.unlink()
    turn_until(engine, lambda: engine.counters.rejected == 1)
    engine.shut_down()

    assert transport.sent.count("BAD") == 1
    assert place.names() == []


def test_an_event_longer_than_our_own_limit_is_sent(
    place: Place, spool: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writer of a spool may have a limit of its own."""
    del spool
    body = json.dumps({"event_type": "LONG", "event_details": {"text": "x" * 100_000}}).encode()
    place.open(max_event_bytes="1MiB").append(body)
    monkeypatch.setenv("FLWR_TELEMETRY_MAX_EVENT_BYTES", "1KiB")
    transport = Scripted(lambda _: 201)
    engine = engine_for(place, transport)

    turn_until(engine, lambda: engine.counters.accepted == 1)
    engine.shut_down()

    assert transport.sent == ["LONG"]


def test_a_segment_that_cannot_be_deleted_does_not_keep_the_engine_busy(
    place: Place, spool: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt itself may ring: it is made again at the next rescan, not at the next ring."""
    attempts = 0

    def refuse(path: str) -> None:
        nonlocal attempts
        if path.endswith(".jsonl"):
            attempts += 1
            engine.ring()
            raise PermissionError(1, "Operation not permitted", path)

    engine = engine_for(place, Scripted(lambda _: 201))
    spool("A")
    monkeypatch.setattr("telemetry_spool.appending.os.unlink", refuse)

    turn_until(engine, lambda: engine.counters.accepted == 1)
    for _ in range(20):
        engine.wait(min(0.001, engine.work()))
    monkeypatch.undo()
    engine.shut_down()

    assert attempts == 1


def test_a_spool_that_cannot_be_listed_is_not_drained(place: Place, tmp_path: Path) -> None:
    """Whoever asks is told that something was left."""
    place.root.mkdir(parents=True)
    (tmp_path / "file").touch()
    place.spool.symlink_to(tmp_path / "file")
    engine = engine_for(place, Scripted(lambda _: 201))

    engine.work()

    assert engine.kept


def test_a_segment_that_was_in_use_is_tried_again_with_the_next_sign(place: Place) -> None:
    """A writer holds it for a moment: no reason to leave it alone until the next rescan."""
    place.spool.mkdir(parents=True)
    transport = Scripted(lambda _: 200)
    engine = engine_for(place, transport, rescan_interval=3600)
    turn_until(engine, lambda: engine.idle)
    names = [f"20260310T120000Z-000000000000000{number}.jsonl" for number in (1, 2)]

    with locked_by_another_process(seal(place, names[0], "HELD")):
        engine.ring(names[0])
        turn_until(engine, lambda: engine.idle)
    seal(place, names[1], "NEXT")
    engine.ring(names[1])
    turn_until(engine, lambda: engine.idle)

    assert sorted(transport.sent) == ["HELD", "NEXT"]


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files to users takes root")
@pytest.mark.parametrize("mode", ["local", "off"])
def test_nobody_waits_for_a_user_who_refuses(tmp_path: Path, mode: str) -> None:
    """What is pending stays in the drop box; `once` ends, and `status` does not say sending."""
    box, user = tmp_path / "box", 60002
    box.mkdir()
    box.chmod(0o3733)
    for name, content in (
        (f"{user}.mode", mode),
        ("20260310T120000Z-0000000000000001.jsonl", '{"event_type": "E"}\n'),
    ):
        (box / name).write_text(content)
        os.chown(box / name, user, -1)
    settings = {"dir": str(tmp_path), "spool_dir": str(box), "endpoint": "http://127.0.0.1:9/"}
    transport = Scripted(lambda _: 200)
    engine = Engine(config.load(settings), Lanes(4, lambda: transport), lambda: 0.0)

    turn_until(engine, lambda: engine.idle)

    assert transport.sent == []
    assert engine.backlog.segments == 1
