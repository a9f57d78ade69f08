"""The carrier on curl: many requests at once, and what else ends a wait."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pycurl
import pytest

from tests.conftest import DEADLINE_SECONDS
from tests.support.endpoint import Answer as Scripted
from tests.support.endpoint import Endpoint, Request
from tests.support.network import RawServer, read_request, to
from tests.support.requests import HEADERS, KEY, request, results, submit
from uploader.carrier import Delivered, Message, Signal
from uploader.curl_carrier import CurlCarrier
from uploader.outcome import Answer, Failure, Trouble

pytestmark = pytest.mark.usefixtures("plain_network")

Connect = Callable[..., CurlCarrier]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return what makes carriers, which end with the test."""
    made: list[CurlCarrier] = []

    def make(url: str, *, concurrency: int = 8, read_timeout: float = 20.0) -> CurlCarrier:
        made.append(CurlCarrier(to(url, read_timeout=read_timeout), concurrency))
        return made[-1]

    yield make
    for carrier in made:
        carrier.end()


def collected(carrier: CurlCarrier, count: int) -> list[Delivered]:
    """Collect what comes of so many requests."""
    found: list[Delivered] = []
    while len(results(found)) < count:
        messages: list[Message] = list(carrier.collect(DEADLINE_SECONDS))
        assert messages, "nothing came"
        found += [message for message in messages if isinstance(message, Delivered)]
    return found


def ended(carrier: CurlCarrier, count: int) -> dict[int, Answer | Failure]:
    """Collect what comes of so many requests, by ticket."""
    return results(collected(carrier, count))


def test_each_of_many_requests_is_answered_once_with_its_ticket(
    endpoint: Endpoint, connect: Connect
) -> None:
    """More than may be under way at once: the others wait for their turn."""
    endpoint.answer = lambda request: Scripted(201, {}, request.body)
    carrier = connect(endpoint.url, concurrency=8)

    for first in range(0, 100, 20):
        submit(carrier, [request(ticket, b"%d" % ticket) for ticket in range(first, first + 20)])

    assert ended(carrier, 100) == {
        ticket: Answer(201, body=b"%d" % ticket) for ticket in range(100)
    }
    assert carrier.collect(0.0) == []
    assert len(endpoint.requests) == 100


def test_no_more_requests_are_under_way_than_allowed(endpoint: Endpoint, connect: Connect) -> None:
    """While the endpoint answers none of them, it sees no other."""
    go_on = threading.Event()

    def answer(_: Request) -> Scripted:
        go_on.wait(DEADLINE_SECONDS)
        return Scripted()

    endpoint.answer = answer
    carrier = connect(endpoint.url, concurrency=2)

    submit(carrier, [request(ticket) for ticket in range(4)])
    submit(carrier, [request(ticket) for ticket in range(4, 6)])
    before = carrier.collect(0.3)
    seen = len(endpoint.requests)
    go_on.set()

    assert set(ended(carrier, 6)) == set(range(6))
    assert (before, seen) == ([], 2)


def test_connections_are_kept(connect: Connect) -> None:
    """As many as there are requests at once, whatever the number of requests."""

    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with RawServer(talk) as server:
        carrier = connect(f"http://127.0.0.1:{server.port}/", concurrency=4)
        submit(carrier, [request(ticket) for ticket in range(40)])
        collected(carrier, 40)

        assert server.connections <= 4


def test_an_answer_that_comes_again_is_the_same_object(
    endpoint: Endpoint, connect: Connect
) -> None:
    """So that it need not be judged again; another answer is another object."""
    carrier = connect(endpoint.url, concurrency=1)
    endpoint.answer = lambda request: Scripted(201, {"X-Id": request.body.decode()}, b"{}")
    submit(carrier, [request(ticket, b"%d" % ticket) for ticket in range(3)])
    usual = ended(carrier, 3)

    assert usual[0] is usual[1] is usual[2]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Scripted(503, {"Content-Type": "a/b"}, b"{}"), Answer(503, "a/b", body=b"{}")),
        (Scripted(201, {"Content-Type": "a/c"}, b"{}"), Answer(201, "a/c", body=b"{}")),
        (Scripted(201, {"X-Type": "a/b"}, b"{}"), Answer(201, "", body=b"{}")),
        (Scripted(201, {"Content-Type": "a/b"}, b"[]"), Answer(201, "a/b", body=b"[]")),
        (
            Scripted(201, {"Content-Type": "a/b", "retry-after": "7"}, b"{}"),
            Answer(201, "a/b", retry_after="7", body=b"{}"),
        ),
        (
            Scripted(201, {"Content-Type": "a/b", "LOCATION": "/x"}, b"{}"),
            Answer(201, "a/b", location="/x", body=b"{}"),
        ),
        (
            Scripted(201, {"Content-Type": "a/b", "Content-Encoding": "gzip"}, b"{}"),
            Answer(201, "a/b", body=b"{}", cut=True),
        ),
    ],
    ids=["status", "type", "no type", "body", "retry", "location", "encoded"],
)
def test_an_answer_that_differs_is_told_from_the_usual_one(
    endpoint: Endpoint, connect: Connect, other: Scripted, expected: Answer
) -> None:
    """In whatever an outcome is decided by, and back again."""
    usual = Scripted(201, {"Content-Type": "a/b"}, b"{}")
    carrier = connect(endpoint.url, concurrency=1)

    seen: list[Answer | Failure] = []
    for answer in (usual, usual, other, other, usual):
        endpoint.answer = lambda _, answer=answer: answer  # type: ignore[misc]
        submit(carrier, [request(0)])
        seen += ended(carrier, 1).values()

    same = Answer(201, "a/b", body=b"{}")
    assert seen == [same, same, expected, expected, same]


def test_a_type_that_is_missing_is_noticed_among_lines_that_have_been_seen(
    endpoint: Endpoint, connect: Connect
) -> None:
    """Each of its other headers has come with the usual answer."""
    carrier = connect(endpoint.url, concurrency=1)
    usual: dict[str, str] = {"Content-Type": "a/b"}

    seen: list[Answer | Failure] = []
    for headers in ({**usual, "X": "1"}, {**usual, "Y": "1"}, {"X": "1", "Y": "1"}):
        endpoint.answer = lambda _, headers=headers: Scripted(201, headers, b"{}")  # type: ignore[misc]
        submit(carrier, [request(0)])
        seen += ended(carrier, 1).values()

    types = [each.content_type for each in seen if isinstance(each, Answer)]
    assert types == ["a/b", "a/b", ""]


def test_a_signal_of_another_thread_ends_a_wait(endpoint: Endpoint, connect: Connect) -> None:
    """Though a request is under way, whose answer does not come."""
    reached, done = threading.Event(), threading.Event()

    def answer(_: Request) -> Scripted:
        reached.set()
        done.wait(DEADLINE_SECONDS)
        return Scripted()

    endpoint.answer = answer
    carrier = connect(endpoint.url)
    submit(carrier, [request(1)])

    def stop() -> None:
        reached.wait(DEADLINE_SECONDS)
        carrier.put(Signal.STOP)

    threading.Thread(target=stop, daemon=True).start()

    assert carrier.collect(DEADLINE_SECONDS) == [Signal.STOP]
    done.set()
    assert set(ended(carrier, 1)) == {1}


def test_a_signal_handler_ends_a_wait(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the very thread that waits, and though the signal came just before the wait."""
    carrier = connect("http://127.0.0.1:9/")
    waiting = threading.Event()
    readable: list[object] = []
    real = select.select

    def noticed(*arguments: Any) -> Any:
        waiting.set()
        ready = real(*arguments)
        readable.append(ready[0])
        return ready

    monkeypatch.setattr(select, "select", noticed)
    previous = signal.signal(signal.SIGUSR1, lambda *_: carrier.put(Signal.LOOK))

    def interrupt() -> None:
        waiting.wait(DEADLINE_SECONDS)
        os.kill(os.getpid(), signal.SIGUSR1)

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        assert carrier.collect(DEADLINE_SECONDS) == [Signal.LOOK]
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert all(readable), "the wait took its whole time"


def test_whoever_hears_of_signals_still_does_after_a_wait(connect: Connect) -> None:
    """A wait borrows what Python has only one of."""
    carrier = connect("http://127.0.0.1:9/")
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno())
        carrier.collect(0.01)
        after = signal.set_wakeup_fd(before)

        assert after == writer.fileno()


def test_signals_are_delivered_in_order_however_many(connect: Connect) -> None:
    """More than the carrier's own pipe takes, and nobody who puts one waits."""
    carrier = connect("http://127.0.0.1:9/")
    sent = [Signal.LOOK, Signal.STOP] * 100_000

    for each in sent:
        carrier.put(each)

    assert carrier.collect(DEADLINE_SECONDS) == sent
    assert carrier.collect(0.0) == []


def test_an_answer_that_breaks_off_is_one_failure(connect: Connect) -> None:
    """Only of the request that it was meant for; those after it go on."""

    def talk(connection: socket.socket) -> None:
        while arrived := read_request(connection):
            if arrived.endswith(b"bad"):
                connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{")
                return
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with RawServer(talk) as server:
        carrier = connect(f"http://127.0.0.1:{server.port}/", concurrency=2)
        bodies = [b"1", b"2", b"bad", b"3", b"4"]
        submit(carrier, [request(ticket, body) for ticket, body in enumerate(bodies)])
        seen = ended(carrier, 5)
        rest = carrier.collect(0.0)

    assert [ticket for ticket in seen if isinstance(seen[ticket], Failure)] == [2]
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert rest == []


def test_an_answer_that_does_not_come_does_not_hold_up_others(connect: Connect) -> None:
    """It fails after the read timeout, while others come and go all the time."""
    done = threading.Event()

    def talk(connection: socket.socket) -> None:
        while arrived := read_request(connection):
            if arrived.endswith(b"late"):
                done.wait(DEADLINE_SECONDS)
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with RawServer(talk) as server:
        carrier = connect(f"http://127.0.0.1:{server.port}/", read_timeout=0.5)
        submit(carrier, [request(0, b"late")])
        failures: list[int] = []
        ticket = 0
        while not failures:
            ticket += 1
            submit(carrier, [request(ticket)])
            seen = ended(carrier, 1)
            failures += [each for each in seen if isinstance(seen[each], Failure)]
        done.set()

    assert failures == [0]
    assert ticket > 1


def test_a_request_that_cannot_be_made_is_delivered_as_a_failure(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And never raised."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/ca.pem")
    carrier = connect("https://127.0.0.1:9/")

    submit(carrier, [request(7), request(8)])

    (failed,) = collected(carrier, 2)
    assert isinstance(failed.result, Failure)
    assert (failed.tickets, failed.result.trouble) == ((7, 8), Trouble.CONFIGURATION)


@pytest.mark.parametrize("value", ["\u20ac", "a\r\nX: b", "a\0b"])
def test_a_header_that_cannot_be_sent_is_a_failure_and_no_more(
    endpoint: Endpoint, connect: Connect, value: str
) -> None:
    """Whether there was room for it or not; the others have their turn."""
    carrier = connect(endpoint.url, concurrency=1)

    for ticket in range(4):
        submit(carrier, [request(ticket, headers=HEADERS if ticket % 2 else {"X": value})])

    types = {ticket: type(result) for ticket, result in ended(carrier, 4).items()}
    assert types == {0: Failure, 1: Answer, 2: Failure, 3: Answer}


def test_each_request_has_its_headers_and_its_key(endpoint: Endpoint, connect: Connect) -> None:
    """Though most of a group are the same ones, and are looked at once."""
    other = {**HEADERS, "User-Agent": "other/1.0"}
    given = [HEADERS, HEADERS, other, other, HEADERS, dict(HEADERS)]
    carrier = connect(endpoint.url, concurrency=1)

    submit(
        carrier,
        [request(ticket, headers=each, key=f"{ticket}") for ticket, each in enumerate(given)],
    )
    collected(carrier, len(given))

    names = ("User-Agent", "Idempotency-Key")
    assert [tuple(each.headers[name] for name in names) for each in endpoint.requests] == [
        (each["User-Agent"], f"{ticket}") for ticket, each in enumerate(given)
    ]


def test_a_request_by_itself_has_the_headers_that_it_is_given(
    endpoint: Endpoint, connect: Connect
) -> None:
    """No key is added; without a body it is OPTIONS, and what follows is a POST again."""
    carrier = connect(endpoint.url, concurrency=1)

    carrier.single(1, b"{}", {"Idempotency-Key": "mine"})
    carrier.single(2, None, {"X": "1"})
    submit(carrier, [request(3)])

    assert set(ended(carrier, 3)) == {1, 2, 3}
    assert [
        (each.method, each.body, each.headers.get("Idempotency-Key")) for each in endpoint.requests
    ] == [("POST", b"{}", "mine"), ("OPTIONS", b"", None), ("POST", b"{}", KEY)]
    assert endpoint.requests[1].headers["X"] == "1"


def test_nothing_under_way_is_one_wait(
    endpoint: Endpoint, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the endpoint has closed the connections that were kept."""
    carrier = connect(endpoint.url)
    submit(carrier, [request(ticket) for ticket in range(8)])
    collected(carrier, 8)
    endpoint.stop()
    waits: list[object] = []
    real = select.select

    def counted(*arguments: Any) -> Any:
        waits.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(select, "select", counted)

    assert carrier.collect(0.3) == []
    assert len(waits) <= 2


def test_an_end_closes_everything(endpoint: Endpoint) -> None:
    """Connections, what is under way, and what ends a wait; a late signal does no harm."""
    done = threading.Event()

    def hold(_: Request) -> Scripted:
        done.wait(DEADLINE_SECONDS)
        return Scripted()

    carrier = CurlCarrier(to(endpoint.url), 4)
    submit(carrier, [request(0)])
    collected(carrier, 1)
    endpoint.answer = hold
    submit(carrier, [request(1)])
    assert carrier.collect(0.0) == []
    assert endpoint.wait_for(2)

    carrier.end()
    carrier.put(Signal.STOP)

    mine = psutil.Process().net_connections()
    done.set()
    assert not [each for each in mine if each.raddr and each.raddr.port == endpoint.port]


def test_large_writes_are_for_lines_that_have_shown_to_be_fast(
    endpoint: Endpoint, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in curl's buffer counts as sent: a slow line would seem to stand still."""
    buffers: list[int] = []

    class Recording(pycurl.Curl):
        def setopt(self, option: int, value: Any, **others: Any) -> None:
            if option == pycurl.UPLOAD_BUFFERSIZE:
                buffers.append(value)
            super().setopt(option, value, **others)

    def answer(request: Request) -> Scripted:
        if request.body.startswith(b"slow"):
            time.sleep(1.1)
        return Scripted(200)

    monkeypatch.setattr(pycurl, "Curl", Recording)
    endpoint.answer = answer
    carrier = connect(endpoint.url, concurrency=1)
    batch = b"x" * 2**20
    for ticket, body in enumerate([b"{}", batch, batch, b"slow" + batch, batch]):
        submit(carrier, [request(ticket, body)])
        collected(carrier, 1)

    assert [buffer > 2**16 for buffer in buffers] == [False, True, True, False]
