"""With `sink = ndjson` events go in batches, and every promise to a single event holds."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from telemetry_spool.consent import Mode
from telemetry_spool.letters import line_of
from tests.e2e.conftest import Site, ids, line, lines
from tests.e2e.test_deciding import decide
from tests.e2e.test_strict import CLEAN, ODD
from tests.support.endpoint import CREATED, Answer, Endpoint, Request, in_turn
from tests.support.processes import poll

HOLDS_75 = 75

APART_SECONDS = 0.1
"""Far enough for a daemon that waits for nothing to send one event before the next is there."""


@pytest.fixture
def batched(site: Site) -> Site:
    """Return a site whose uploader sends batches."""
    site.set(sink="ndjson")
    return site


def inside(request: Request) -> list[bytes]:
    """Return the lines in a batch."""
    packed = request.headers["Content-Encoding"] == "gzip"
    body = gzip.decompress(request.body) if packed else request.body
    assert body.endswith(b"\n")
    return body.removesuffix(b"\n").split(b"\n")


def arrived(endpoint: Endpoint) -> Counter[bytes]:
    """Return how often each event was accepted."""
    return Counter(event for request in endpoint.accepted for event in inside(request))


def refusing(status: int, *refused: bytes) -> Callable[[Request], Answer]:
    """Answer every batch that has one of these events with this status."""
    refusal = Answer(status, body=b'{"error": "no such thing"}')
    return lambda request: refusal if {*refused} & {*inside(request)} else CREATED


def put(site: Site, number: int, events: list[bytes]) -> None:
    """Write a sealed segment with this number."""
    site.place.spool.mkdir(parents=True, exist_ok=True)
    path = site.place.spool / f"20260310T120000Z-{number:016x}.jsonl"
    path.write_bytes(b"".join(event + b"\n" for event in events))


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_whole_spool_goes_in_a_few_requests(
    batched: Site, endpoint: Endpoint, compression: str
) -> None:
    """Every event once, with a receipt of its own, and the key that belongs to its batch."""
    events = lines(range(5000))
    batched.set(compression=compression)
    batched.record(events)

    ended = batched.uploader("once")

    assert (ended.code, ended.stderr) == (0, "")
    assert arrived(endpoint) == Counter(events)
    assert len(endpoint.requests) <= 5
    assert batched.receipts() == ids(events)
    assert batched.place.names() == ["uploader.lock"]
    for request in endpoint.requests:
        digests = b"".join(hashlib.sha256(event).digest() for event in inside(request))
        assert request.headers["Idempotency-Key"] == hashlib.sha256(digests).hexdigest()


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("position", [0, 7, 19])
def test_one_bad_event_is_found_among_the_others(
    batched: Site, endpoint: Endpoint, status: int, position: int
) -> None:
    """It is set aside with what the endpoint said of it; the others arrive, once."""
    events = lines(range(20))
    endpoint.answer = refusing(status, events[position])
    batched.record(events)

    assert batched.uploader("once").code == 0

    assert arrived(endpoint) == Counter(events) - Counter([events[position]])
    (letter,) = batched.rejected()
    assert line_of(letter) == events[position]
    assert letter["status"] == status
    assert letter["response"] == '{"error": "no such thing"}'
    assert batched.receipts() == ids([*events[:position], *events[position + 1 :]])
    assert batched.place.names() == ["uploader.lock"]


def test_an_endpoint_that_takes_less_gets_less(batched: Site, endpoint: Endpoint) -> None:
    """A web server in between often takes a megabyte, or less."""
    events = lines(range(200))
    endpoint.answer = lambda request: Answer(413) if len(request.body) > 10_000 else CREATED
    batched.record(events)

    assert batched.uploader("once").code == 0

    assert arrived(endpoint) == Counter(events)
    assert batched.rejected() == []


def test_an_event_that_is_never_answered_well_holds_up_no_other(
    batched: Site, endpoint: Endpoint
) -> None:
    """Of its batch, either; it waits, and goes as soon as it is taken."""
    events = lines(range(30))
    endpoint.answer = refusing(500, events[3])
    batched.set(batch_events=10)
    batched.record(events)

    with batched.daemon() as daemon:
        rest = Counter(events) - Counter([events[3]])
        poll(lambda: arrived(endpoint) == rest, "all others")
        assert batched.rejected() == []
        endpoint.answer = lambda _: CREATED
        batched.wait_until_drained()
        assert daemon.stop() == 0

    assert arrived(endpoint) == Counter(events)
    assert batched.receipts() == ids(events)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
@pytest.mark.parametrize("segments", [1, 3])
def test_an_endpoint_that_takes_no_batches_gets_no_event_set_aside(
    batched: Site, endpoint: Endpoint, status: int, segments: int
) -> None:
    """It is the settings that are wrong: everything waits for a person, who is told which."""
    endpoint.answer = lambda _: Answer(status)
    for number in range(segments):
        put(batched, number, lines(range(number * 10, number * 10 + 10)))

    ended = batched.uploader("once")

    assert ended.code == HOLDS_75
    assert "`endpoint`, `sink` and `compression`" in ended.stderr
    assert f"HTTP {status}" in ended.stderr
    assert batched.rejected() == []
    assert batched.receipts() == Counter()

    endpoint.answer = lambda _: CREATED
    assert batched.uploader("once").code == 0
    assert arrived(endpoint) == Counter(lines(range(segments * 10)))


def test_an_endpoint_that_takes_no_batches_any_more_costs_no_event(
    batched: Site, endpoint: Endpoint
) -> None:
    """It took some, and so it is not asked again with smaller ones either."""
    events = lines(range(30))
    endpoint.answer = in_turn([CREATED], then=Answer(415))
    batched.set(batch_events=10, concurrency=1)
    batched.record(events)

    ended = batched.uploader("once")

    assert ended.code == HOLDS_75
    assert "`endpoint`, `sink` and `compression`" in ended.stderr
    assert {len(inside(request)) for request in endpoint.requests} == {10}
    assert batched.rejected() == []
    assert arrived(endpoint) == Counter(events[:10])


def test_bad_lines_are_in_no_batch(batched: Site, endpoint: Endpoint) -> None:
    """They are set aside as ever, and those around them go."""
    events = lines(range(10))
    put(batched, 1, [*events[:4], b"RUN", b"", *events[4:9], b"[]", events[9]])

    assert batched.uploader("once").code == 0

    assert arrived(endpoint) == Counter(events)
    assert [letter["status"] for letter in batched.rejected()] == [None, None]


def test_strict_keeps_back_single_events(batched: Site, endpoint: Endpoint) -> None:
    """Not those that happen to be in the same batch."""
    batched.set(strict="true")
    batched.record([ODD[0], *CLEAN, *ODD[1:], line(1)])

    assert batched.uploader("once").code == 0

    left = {event for request in endpoint.requests for event in inside(request)}
    assert {*CLEAN} <= left
    assert not left & {*ODD}
    assert {*ODD} <= {line_of(letter) for letter in batched.rejected()}


def test_events_that_come_one_by_one_go_together(batched: Site, endpoint: Endpoint) -> None:
    """Whoever is first waits for others, as long as `batch_seconds`."""
    events = lines(range(15))
    batched.set(batch_seconds=2, rescan_interval=60)
    with batched.daemon() as daemon:
        batched.wait_until("idle")
        for event in events:
            batched.record([event])
            threading.Event().wait(APART_SECONDS)
        poll(lambda: arrived(endpoint) == Counter(events), "all events")
        assert daemon.stop() == 0

    assert len(endpoint.requests) <= len(events) / 2


def test_what_was_accepted_before_a_crash_comes_again_under_the_same_key(
    batched: Site, endpoint: Endpoint
) -> None:
    """Whole batches: an endpoint that remembers keys has everything once."""
    events = lines(range(4000))
    batched.set(batch_bytes="16KiB")
    batched.record(events)
    endpoint.latency = 0.02
    with batched.daemon() as daemon:
        endpoint.wait_for(20, accepted=True)
        daemon.kill()
    endpoint.latency = 0.0

    assert batched.uploader("once").code == 0

    keys: defaultdict[bytes, set[str]] = defaultdict(set)
    for request in endpoint.requests:
        for event in inside(request):
            keys[event].add(request.headers["Idempotency-Key"])
    assert keys.keys() == {*events}
    assert {len(keys_of_one) for keys_of_one in keys.values()} == {1}
    assert arrived(endpoint).keys() == {*events}
    assert batched.receipts().keys() == ids(events).keys()


def test_off_stops_the_next_batch(batched: Site, endpoint: Endpoint) -> None:
    """From one request to the next."""

    def turn_off(_: Request) -> Answer:
        decide(Mode.OFF)
        return Answer(delay=0.05)  # one look at the mode is for the requests of a millisecond

    endpoint.answer = turn_off
    batched.set(batch_events=10, concurrency=1)
    batched.record(lines(range(50)))

    with batched.daemon() as daemon:
        batched.wait_until("paused")
        assert daemon.stop() == 0

    assert len(endpoint.requests) == 1
    assert arrived(endpoint) == Counter(lines(range(10)))


def test_local_events_are_in_no_batch(batched: Site, endpoint: Endpoint) -> None:
    """Whatever else goes."""
    batched.record(lines(range(5)), local=True)
    batched.record(lines(range(5, 10)))

    assert batched.uploader("once").code == 0

    assert arrived(endpoint) == Counter(lines(range(5, 10)))


def test_a_limit_of_events_holds_for_batches(batched: Site, endpoint: Endpoint) -> None:
    """After what one second allows, and a batch that is owed, the rest takes its time."""
    events = lines(range(60))
    batched.set(batch_events=5, max_events_per_second=20)
    batched.record(events)

    assert batched.uploader("once").code == 0

    assert arrived(endpoint) == Counter(events)
    moments = [request.received_at for request in endpoint.requests]
    # 60 events but the 20 of the first second and 4 that are owed take 1.8 s.
    assert max(moments) - min(moments) > 1.5


SECRET = "Bearer s3cret-t0ken"


def test_authorization_is_sent_and_never_shown(batched: Site, endpoint: Endpoint) -> None:
    """Not by any command, nor in a log, a file of state or a receipt."""
    batched.set(authorization=SECRET)
    batched.record(lines(range(3)))
    with batched.daemon("-v") as daemon:
        assert endpoint.wait_for(1, accepted=True)
        batched.wait_until_drained()
        shown = [
            batched.uploader(*words)
            for words in (["check"], ["check", "--json"], ["status"], ["status", "--json"])
        ]
        assert daemon.stop() == 0

    assert {request.headers["Authorization"] for request in endpoint.requests} == {SECRET}
    said = [daemon.stderr, *(text for ended in shown for text in (ended.stdout, ended.stderr))]
    files = [path.read_bytes() for path in batched.place.root.rglob("*") if path.is_file()]
    assert not [text for text in said if "s3cret" in text]
    assert not [content for content in files if b"s3cret" in content]
    assert "authorization" in shown[0].stdout


def test_an_endpoint_that_wants_credentials_is_named(batched: Site, endpoint: Endpoint) -> None:
    """Nothing is set aside meanwhile."""
    endpoint.answer = lambda _: Answer(401)
    batched.record(lines(range(3)))

    ended = batched.uploader("once")

    assert ended.code == HOLDS_75
    assert "credentials" in ended.stderr
    assert batched.rejected() == []


def test_a_heartbeat_counts_events(batched: Site) -> None:
    """Not requests."""
    batched.record(lines(range(30)))
    with batched.daemon() as daemon:
        poll(lambda: batched.heartbeat().get("accepted") == 30, "30 events sent")
        assert daemon.stop() == 0
