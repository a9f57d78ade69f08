"""The benchmark's own instruments: what it counts, and that it notices what did not arrive."""

from __future__ import annotations

import gzip
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from benchmarks.drain.debian import RELEASE, Tree
from benchmarks.drain.floors import slices
from benchmarks.drain.least import floor
from benchmarks.drain.measuring import measured
from benchmarks.drain.ours import ours
from benchmarks.drain.peers import Peers
from benchmarks.drain.processes import Command, Failed
from benchmarks.drain.sinks import REPOSITORY, Endpoint, Sink, sink
from benchmarks.drain.source import EVENT_BYTES, Source
from benchmarks.drain.subjects import Job, Kind, Subject
from benchmarks.drain.tally import Verdict
from benchmarks.drain.wire import Parser, Request, decoded
from benchmarks.ratios import Ratio, ratio

EVENTS = 200

CHUNKED = (
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\r\n\r\n2;x\r\n}\n\r\n0\r\n\r\n"
)
PLAIN = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Return a few hundred events."""
    return Source.made(tmp_path, EVENTS)


@pytest.fixture
def server() -> Iterator[Sink]:
    """Run a sink."""
    with sink(Endpoint()) as running:
        yield running


@pytest.fixture
def lines(source: Source) -> list[bytes]:
    """Return the events, without newlines."""
    return source.path.read_bytes().splitlines()


def post(server: Sink, body: bytes, **headers: str) -> int:
    """POST a body and return the status of the answer."""
    with requests.Session() as session:
        session.trust_env = False
        return session.post(server.url, data=body, headers=headers, timeout=30).status_code


def verdict(server: Sink, source: Source) -> Verdict:
    """Return what the sink says of what arrived."""
    return server.verify(source.path)[0]


class TestSource:
    """What every subject has to deliver."""

    def test_events_have_the_length_that_is_told_and_differ(self, lines: list[bytes]) -> None:
        """Nobody gains by sending less, or by sending one event often."""
        assert {len(line) for line in lines} == {EVENT_BYTES}
        assert len(set(lines)) == EVENTS

    def test_the_spool_has_the_same_events_as_the_file(
        self, source: Source, tmp_path: Path
    ) -> None:
        """Ours delivers what the others deliver."""
        spool = source.spool(tmp_path, segment_bytes=3 * (EVENT_BYTES + 1))
        segments = sorted(spool.iterdir())
        assert len(segments) == -(-EVENTS // 3)
        assert b"".join(path.read_bytes() for path in segments) == source.path.read_bytes()


class TestSink:
    """What the sink tells of what arrived."""

    def test_all_that_arrived_is_complete(
        self, server: Sink, source: Source, lines: list[bytes]
    ) -> None:
        """Batches and single events count alike."""
        assert post(server, b"\n".join(lines[:150]) + b"\n") == 201
        for line in lines[150:]:
            post(server, line)
        assert verdict(server, source) == Verdict(EVENTS, EVENTS, 0, 0, 0)
        assert server.arrived() == EVENTS

    def test_a_missing_event_shows(self, server: Sink, source: Source, lines: list[bytes]) -> None:
        """One of them is enough to have no row in a table."""
        post(server, b"\n".join(lines[1:]))
        assert verdict(server, source) == Verdict(EVENTS, EVENTS - 1, 1, 0, 0)
        assert not verdict(server, source).complete

    def test_a_doubled_event_shows(self, server: Sink, source: Source, lines: list[bytes]) -> None:
        """It is told, and nothing is missing for it."""
        post(server, b"\n".join([*lines, lines[7]]))
        assert verdict(server, source) == Verdict(EVENTS, EVENTS + 1, 0, 1, 0)

    def test_a_changed_event_shows(self, server: Sink, source: Source, lines: list[bytes]) -> None:
        """A shipper that rewrites events does not deliver them."""
        post(server, b"\n".join([*lines[1:], lines[0] + b" "]))
        assert verdict(server, source) == Verdict(EVENTS, EVENTS, 1, 0, 1)

    def test_a_compressed_batch_counts(
        self, server: Sink, source: Source, lines: list[bytes]
    ) -> None:
        """What is compressed is verified, too."""
        post(server, gzip.compress(b"\n".join(lines)), **{"Content-Encoding": "gzip"})
        assert verdict(server, source).complete

    def test_more_than_the_limit_is_refused_and_not_counted(self, source: Source) -> None:
        """429 leaves an event to be sent again. Both requests come in one packet."""
        with (
            sink(Endpoint(latency=0.01, limit=1)) as server,
            socket.create_connection(("127.0.0.1", server.port)) as connection,
        ):
            connection.sendall(PLAIN * 2)
            said = b""
            while said.count(b"HTTP/1.1") < 2:
                said += connection.recv(1024)
            _, load = server.verify(source.path)
            assert re.findall(rb"HTTP/1.1 ([0-9]+)", said) == [b"201", b"429"]
            assert (load.requests, load.refused, load.most_in_flight) == (2, 1, 1)
            assert server.arrived() == 1

    def test_more_than_the_workers_wait_in_line(self, source: Source) -> None:
        """Two workers answer three requests in the time of two. All come in one packet."""
        seconds = 0.05
        with (
            sink(Endpoint(latency=seconds, workers=2)) as server,
            socket.create_connection(("127.0.0.1", server.port)) as connection,
        ):
            connection.sendall(PLAIN * 3)
            said = b""
            while said.count(b"HTTP/1.1 201") < 3:
                said += connection.recv(1024)
            _, load = server.verify(source.path)
            assert (load.requests, load.refused, load.most_in_flight) == (3, 0, 3)
            assert load.last_at - load.first_at >= 2 * seconds

    def test_the_times_are_in_the_order_of_the_source(
        self, server: Sink, source: Source, lines: list[bytes]
    ) -> None:
        """Each event has the time of its own arrival; none that did not come."""
        post(server, lines[1])
        post(server, lines[0])
        second, first, *others = server.arrivals(source.path)
        assert first is not None
        assert second is not None
        assert first < second
        assert set(others) == {None}


class TestWire:
    """HTTP as far as shippers speak it."""

    @pytest.mark.parametrize("size", [1, 7, 1000])
    def test_requests_are_the_same_however_they_are_cut(self, size: int) -> None:
        """A packet may end anywhere."""
        data = PLAIN + CHUNKED + PLAIN.lower()
        parser = Parser()
        found = [
            request
            for begin in range(0, len(data), size)
            for request in parser.feed(data[begin : begin + size])
        ]
        assert [request.body for request in found] == [b"{}", b"{\r\n}\n", b"{}"]

    def test_a_client_that_asks_before_it_sends_is_noticed(self) -> None:
        """It would wait a second for each batch."""
        parser = Parser()
        assert not [*parser.feed(PLAIN[:-6] + b"\r\nExpect: 100-continue\r\n\r\n")]
        assert parser.expecting

    def test_an_unknown_encoding_is_an_error(self) -> None:
        """What cannot be verified must not look delivered."""
        with pytest.raises(ValueError, match="br"):
            decoded(Request(b"", b"br"))


class TestMeasuring:
    """Real subjects, few events."""

    def test_a_floor_delivers_all(self, source: Source, tmp_path: Path) -> None:
        """Slices of the file, and what that cost."""
        run = measured(floor("slices", "slices"), source, tmp_path)
        assert run.verdict.complete
        assert run.load.requests == 1
        assert run.usage.cpu_seconds > 0
        assert run.usage.peak_mib > 1

    def test_ours_delivers_all(self, source: Source, tmp_path: Path) -> None:
        """One request per event, with what is installed here."""
        run = measured(ours("as it is", {}, needs=()), source, tmp_path)
        assert run.verdict == Verdict(EVENTS, EVENTS, 0, 0, 0)
        assert run.load.requests == EVENTS

    @pytest.mark.parametrize("number", range(3))
    def test_syslog_ng_and_rsyslog_deliver_all(
        self, source: Source, tmp_path: Path, number: int
    ) -> None:
        """In the configurations that the report shows."""
        tree = REPOSITORY / ".cache" / f"bench-{RELEASE}"
        peer = Peers(Tree(tree) if tree.exists() else None, "run make bench once").batch()[number]
        if peer.missing:
            pytest.skip(peer.missing)
        assert measured(peer, source, tmp_path).verdict.complete

    def test_a_shipper_that_ends_badly_says_why(self, source: Source, tmp_path: Path) -> None:
        """The last line that it wrote is what a person needs."""
        refuse = [sys.executable, "-c", "import sys; sys.exit('no such setting')"]

        def prepare(_: Job) -> Command:
            return Command(refuse)

        with pytest.raises(Failed, match="ended with 1: no such setting"):
            measured(Subject("refuses", Kind.OURS, prepare), source, tmp_path)

    def test_a_shipper_that_brings_nothing_is_given_up(
        self, source: Source, tmp_path: Path
    ) -> None:
        """A benchmark ends."""
        sleep = shutil.which("sleep")
        if sleep is None:
            pytest.skip("no sleep")

        def prepare(_: Job) -> Command:
            return Command([sleep, "60"])

        with pytest.raises(Failed, match=f"0 of {EVENTS} events arrived"):
            measured(Subject("sleeps", Kind.PEER, prepare), source, tmp_path, patience=0.2)


@pytest.mark.parametrize(
    ("module", "option", "value", "said"),
    [
        ("benchmarks", "--rounds", "0", "0 is not at least 1"),
        ("benchmarks", "--events", "-1", "-1 is not at least 1"),
        ("benchmarks.append", "--starts", "0", "0 is not at least 1"),
        ("benchmarks.flower_process", "--runs", "ten", "invalid count value: 'ten'"),
        ("benchmarks.idle", "--minutes", "0", "0 is not a time to wait"),
        ("benchmarks.idle", "--minutes", "inf", "inf is not a time to wait"),
    ],
)
def test_a_number_of_which_nothing_comes_is_refused_at_once(
    module: str, option: str, value: str, said: str
) -> None:
    """One line names the option, instead of an error after all has been measured."""
    ended = subprocess.run(
        [sys.executable, "-m", module, option, value],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"error: argument {option}: {said}\n")


def test_slices_end_with_a_line_and_are_the_file(tmp_path: Path) -> None:
    """The floor sends whole events, however the reads fall."""
    source = Source.made(tmp_path, 3000)
    pieces = [*slices(source.path)]
    assert len(pieces) == 3
    assert all(piece.endswith(b"\n") and len(piece) <= 2**20 for piece in pieces)
    assert b"".join(pieces) == source.path.read_bytes()


def test_the_interval_of_a_ratio_is_that_of_a_sign_test() -> None:
    """Of ten rounds all but the least and the most, of a hundred the 40th to the 61st."""
    few, many = range(1, 11), range(1, 101)
    assert ratio([*few], [1.0] * 10) == Ratio(5.5, 2.0, 9.0)
    assert ratio([*many], [1.0] * 100) == Ratio(50.5, 40.0, 61.0)
