"""Send one request with curl, and wait for it."""

from __future__ import annotations

from collections.abc import Mapping

from uploader.carrier import Delivered
from uploader.curl_carrier import CurlCarrier
from uploader.destination import Destination
from uploader.outcome import Answer, Failure


class CurlTransport:
    """A `Transport` with the rules of `CurlCarrier`: its only request is the one that is sent."""

    def __init__(self, destination: Destination) -> None:
        self._carrier = CurlCarrier(destination, 1)

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """POST `body` and return what came back."""
        self._carrier.single(0, body, headers)
        return self._result()

    def probe(self, headers: Mapping[str, str]) -> Answer | Failure:
        """Ask with OPTIONS, which carries nothing, and return what came back."""
        self._carrier.single(0, None, headers)
        return self._result()

    def close(self) -> None:
        """Let go of the connection."""
        self._carrier.end()

    def _result(self) -> Answer | Failure:
        while True:
            for message in self._carrier.collect(3600.0):
                if isinstance(message, Delivered):
                    return message.result
