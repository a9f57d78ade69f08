"""What a request is made of: one event, as Flower sends it, or a batch of them, one a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Protocol

from telemetry_spool.headers import OWN_AGENT, package_headers
from telemetry_spool.segment import id_hash
from uploader.carrier import Requests
from uploader.compression import Compress, compressor
from uploader.config import UploaderConfig
from uploader.pieces import SINGLE, Piece, Shape


class Sink(Protocol):
    """Makes requests of pieces of this shape."""

    shape: Shape

    def requests(self, ticket: int, pieces: Sequence[Piece]) -> list[Requests]:
        """Return the requests that carry pieces without a problem, with tickets from this one."""
        ...


class EventSink:
    """One event a request, with the headers that Flower itself would send."""

    shape = SINGLE

    def __init__(self, extra: Mapping[str, str]) -> None:
        """Send these headers, too."""
        self._extra = extra
        self._agent = ""
        self._headers: Mapping[str, str] = {}

    def requests(self, ticket: int, pieces: Sequence[Piece]) -> list[Requests]:
        """Return the requests that carry these events, with tickets from this one on."""
        made = []
        for agent, alike in groupby(pieces, key=_agent):
            if agent != self._agent:
                self._agent, self._headers = agent, {**package_headers(agent), **self._extra}
            events = list(alike)
            tickets = range(ticket, ticket + len(events))
            ticket = tickets.stop
            bodies = [event.data for event in events]
            keys = [event.manifest.ids[event.first] for event in events]
            made.append(Requests(self._headers, tickets, bodies, keys))
        return made


class BatchSink:
    """NDJSON: whole lines of one segment, each as it was recorded.

    The key is the SHA-256 of the ids as bytes: whoever has the lines can derive it, and them.
    """

    def __init__(self, shape: Shape, compression: str, extra: Mapping[str, str]) -> None:
        """Make batches of this shape; send these headers, too."""
        self.shape = shape
        self._compress: Compress | None = None
        self._compression = compression
        encoding = {} if compression == "none" else {"Content-Encoding": compression}
        self._headers = {
            **encoding,
            "Content-Type": "application/x-ndjson",
            "User-Agent": OWN_AGENT,
            **extra,
        }

    def requests(self, ticket: int, pieces: Sequence[Piece]) -> list[Requests]:
        """Return the requests that carry these batches, with tickets from this one on."""
        compress = self._compress = self._compress or compressor(self._compression)
        bodies = [compress(piece.data) if compress else piece.data for piece in pieces]
        tickets = range(ticket, ticket + len(pieces))
        return [Requests(self._headers, tickets, bodies, [_batch_key(piece) for piece in pieces])]


def _agent(event: Piece) -> str:
    return event.manifest.agents[event.first]


def _batch_key(batch: Piece) -> str:
    return id_hash()(batch.manifest.digests(batch.first, batch.events)).hexdigest()


def sink_for(config: UploaderConfig) -> Sink:
    """Return the sink that the settings ask for."""
    extra = {"Authorization": config.authorization} if config.authorization else {}
    if config.sink == "event":
        return EventSink(extra)
    return BatchSink(Shape(config.batch_events, config.batch_bytes), config.compression, extra)
