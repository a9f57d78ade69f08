"""A deadline for answers, status line and headers included.

The timeout of a socket is for one read: a peer that sends one byte a second would keep a request
for ever. Here it is for all of the answer.
"""

from __future__ import annotations

import io
import socket
import time
from functools import cache
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connectionpool import HTTPConnectionPool

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _BoundedReader(io.RawIOBase):
    """What comes from a socket, until the socket's timeout has passed since the construction."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket) -> None:
        self._raw = raw
        self._connection = connection
        timeout = connection.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer takes too long")
            self._connection.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """The standard library's response. A proxy's answer to CONNECT is read through it, too."""

    def __init__(self, connection: socket.socket, *arguments: Any, **named: Any) -> None:
        super().__init__(connection, *arguments, **named)
        self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), connection))


class BoundedAdapter(HTTPAdapter):
    """The adapter of `requests`; an answer has the read timeout to come, all of it."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pool manager for connections without a proxy."""
        super().init_poolmanager(*arguments, **named)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        """Return the pool manager for a proxy."""
        manager = super().proxy_manager_for(proxy, **named)
        _bound(manager)
        return manager


def _bound(manager: PoolManager) -> None:
    kinds = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _bounded(kinds[scheme]) for scheme in kinds}


@cache
def _bounded(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """Return the same kind of pool, whose connections have bounded responses."""
    connection: Any = pool.ConnectionCls
    if issubclass(connection.response_class, _BoundedResponse):
        return pool
    bounded = type(connection.__name__, (connection,), {"response_class": _BoundedResponse})
    return type(pool.__name__, (pool,), {"ConnectionCls": bounded})
