"""What a request is made of: one event, as Flower sends it, or a batch of them, one a line."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from telemetry_spool.headers import OWN_AGENT, event_headers
from telemetry_spool.segment import id_hash
from uploader.compression import Compress, compressor
from uploader.config import UploaderConfig
from uploader.pieces import SINGLE, Piece, Shape


class Request(NamedTuple):
    """Body and headers; the transport adds what HTTP itself needs."""

    body: bytes
    headers: dict[str, str]


class Sink(Protocol):
    """Makes requests of pieces of this shape."""

    shape: Shape

    def request(self, piece: Piece) -> Request:
        """Return the request that carries a piece without a problem."""
        ...


class EventSink:
    """One event a request, with the headers that Flower itself would send."""

    shape = SINGLE

    def __init__(self, extra: dict[str, str]) -> None:
        """Send these headers, too."""
        self._extra = extra

    def request(self, piece: Piece) -> Request:
        """Return the request that carries this event."""
        (entry,) = piece.manifest.entries()
        given = event_headers(entry.id, entry.agent)
        given.update(self._extra)
        return Request(piece.data, given)


class BatchSink:
    """NDJSON: whole lines of one segment, each as it was recorded.

    The key is the SHA-256 of the ids as bytes: whoever has the lines can derive it, and them.
    """

    def __init__(self, shape: Shape, compression: str, extra: dict[str, str]) -> None:
        """Make batches of this shape; send these headers, too."""
        self.shape = shape
        self._compress: Compress | None = None
        self._compression = compression
        self._extra = extra

    def request(self, piece: Piece) -> Request:
        """Return the request that carries this batch."""
        key = id_hash()(piece.manifest.ids()).hexdigest()
        given = {
            "Content-Type": "application/x-ndjson",
            "User-Agent": OWN_AGENT,
            "Idempotency-Key": key,
            **self._extra,
        }
        self._compress = self._compress or compressor(self._compression)
        if self._compress is None:
            return Request(piece.data, given)
        return Request(self._compress(piece.data), {"Content-Encoding": self._compression, **given})


def sink_for(config: UploaderConfig) -> Sink:
    """Return the sink that the settings ask for."""
    extra = {"Authorization": config.authorization} if config.authorization else {}
    if config.sink == "event":
        return EventSink(extra)
    return BatchSink(Shape(config.batch_events, config.batch_bytes), config.compression, extra)
