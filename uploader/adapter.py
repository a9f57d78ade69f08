"""The adapter of `requests`, which does no more for a request than ours need.

Proxies, authorities and errors stay with `requests`, connections and their pool with urllib3, and
HTTP with the standard library. Left out is what costs more than these and is for others: cookies,
redirects, decoding, a body that is read when the caller likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http.client import HTTPConnection
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connectionpool import HTTPConnectionPool

from uploader.reply import Reply, Response

# A body that is longer goes out by itself: copying it behind its headers costs more than a packet.
_SMALL_BODY_BYTES = 64 * 2**10

# The timeout is for this much, and not for a batch of a MiB: slow lines get it away, too.
_SENT_AT_ONCE_BYTES = 128 * 2**10


class _Exchange(HTTPConnection):
    """What connections of urllib3's, http or https, do otherwise for us.

    A request is sent as one piece, and an answer is read at once.
    """

    response_class = Response
    sending_timeout: float
    _kept: list[bytes] | None = None

    def request(  # type: ignore[override]
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], **_: object
    ) -> None:
        """Send a request whose headers are complete but for `Host`."""
        if self.sock is None:
            self.connect()
        # Neither what connecting may take nor what the last answer has left is for sending.
        if self.sock.gettimeout() != self.sending_timeout:
            self.sock.settimeout(self.sending_timeout)
        self.putrequest(method, url, skip_accept_encoding=True)
        for name, value in headers.items():
            HTTPConnection.putheader(self, name, value)  # urllib3's looks for its own marks
        kept: list[bytes] = []
        self._kept = kept
        try:
            self.endheaders(body)
        finally:
            self._kept = None
        if body is None or len(body) <= _SMALL_BODY_BYTES:
            kept = [b"".join(kept)]
        for piece in kept:
            for begin in range(0, len(piece), _SENT_AT_ONCE_BYTES):
                self.send(piece[begin : begin + _SENT_AT_ONCE_BYTES])

    def send(self, data: Any) -> None:
        """Send, or keep what `request` sends."""
        if self._kept is None:
            super().send(data)
        else:
            self._kept.append(data)

    def getresponse(self) -> Reply:  # type: ignore[override]
        """Read an answer. The connection can be used again if that was all of it."""
        if self.sock.gettimeout() != self.timeout:
            self.sock.settimeout(self.timeout)
        response: Any = HTTPConnection.getresponse(self)  # urllib3's would wrap it
        with response:
            reply: Reply = response.reply()
        if reply.cut:
            self.close()
        return reply


class _Pool(HTTPConnectionPool):
    def urlopen(self, *arguments: Any, **named: Any) -> Any:
        """Send a request and free its connection: nothing is left to read."""
        return super().urlopen(*arguments, **{**named, "release_conn": True})


@cache
def _of_exchanges(
    pool: type[HTTPConnectionPool], sending_timeout: float
) -> type[HTTPConnectionPool]:
    """Return the same kind of pool, with exchanges for connections."""
    if issubclass(pool, _Pool):
        return pool
    connection: Any = pool.ConnectionCls
    bases = (_Exchange, connection)
    kind = type(connection.__name__, bases, {"sending_timeout": sending_timeout})
    return type(pool.__name__, (_Pool, pool), {"ConnectionCls": kind})


class LeanAdapter(HTTPAdapter):
    """An adapter for one endpoint; what `send` returns is a `Reply`.

    The same object for `proxies` means the same way to the endpoint: it is worked out once. An
    answer has the read timeout to come, all of it; sending has `sending_timeout` seconds for each
    part.
    """

    def __init__(self, sending_timeout: float) -> None:
        self._sending_timeout = sending_timeout
        super().__init__()
        self._pool: Any = None
        self._pool_for: object = self
        self._target = ""
        self._target_for: object = self

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pool manager for connections without a proxy."""
        super().init_poolmanager(*arguments, **named)
        self._use_exchanges(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        """Return the pool manager for a proxy."""
        manager = super().proxy_manager_for(proxy, **named)
        self._use_exchanges(manager)
        return manager

    def _use_exchanges(self, manager: PoolManager) -> None:
        kinds = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {
            scheme: _of_exchanges(kinds[scheme], self._sending_timeout) for scheme in kinds
        }

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Return the pool of connections."""
        if proxies is not self._pool_for:
            self._pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._pool_for = proxies
        return self._pool

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """Return what the request line names."""
        if proxies is not self._target_for:
            self._target = super().request_url(request, proxies)
            self._target_for = proxies
        return self._target

    def build_response(self, req: PreparedRequest, resp: Any) -> Any:  # noqa: ARG002
        """Return the `Reply` as it is."""
        return resp
