"""Send one request with `requests`, and wait for it."""

from __future__ import annotations

import math
import re
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import requests
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from telemetry_spool.headers import on_the_wire
from uploader.adapter import LeanAdapter
from uploader.destination import Destination
from uploader.failures import no_tunnel, without_login
from uploader.outcome import Answer, Failure, Trouble
from uploader.reply import Reply

# Looking for proxies costs as much as a request does; a system's proxies may change all the same.
_SETTLED_SECONDS = 30.0

# A peer that restarts breaks off the handshake: that is for no operator to mend.
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
# The words of http.client, which has no exception of its own for a proxy's answer to CONNECT.
_NO_TUNNEL = re.compile("Tunnel connection failed: ([0-9]{3})")


class Transport(Protocol):
    """What sends a body to the endpoint. Used by one thread only; it never raises."""

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """POST `body` and return what came back."""
        ...


TransportFactory = Callable[[], Transport]


class RequestsTransport:
    """The default transport: `requests`, with its rules where proxy and CA bundle are not set.

    Connections are kept alive. The prepared request goes straight to the adapter: so no redirect is
    followed, no cookie is kept or sent and no `.netrc` is read, and nothing goes out that the user
    has not seen.
    """

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._timeout: Any = Timeout(
            connect=destination.connect_timeout, read=destination.read_timeout
        )
        self._session = requests.Session()
        self._adapter = LeanAdapter(destination.read_timeout)
        self._request: requests.PreparedRequest | None = None
        self._settings: Mapping[str, Any] = {}
        self._settled_at = -math.inf

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """POST `body` and return what came back."""
        if self._request is None:
            self._request = requests.Request("POST", self._destination.endpoint).prepare()
        self._request.body = body
        return self._exchange(self._request, on_the_wire(body, headers))

    def probe(self, headers: Mapping[str, str]) -> Answer | Failure:
        """Ask with OPTIONS, which carries nothing, and return what came back."""
        request = requests.Request("OPTIONS", self._destination.endpoint).prepare()
        return self._exchange(request, {"Accept-Encoding": "identity", **headers})

    def close(self) -> None:
        """Let go of the connection."""
        self._adapter.close()

    def _exchange(
        self, request: requests.PreparedRequest, headers: dict[str, str]
    ) -> Answer | Failure:
        request.headers = headers  # type: ignore[assignment] # each is spelt in one way here
        try:
            reply: Any = self._adapter.send(request, timeout=self._timeout, **self._environment())
            return _answer(reply)
        except requests.exceptions.SSLError as error:
            broken_off = isinstance(_innermost(error), _BROKEN_OFF)
            return Failure(Trouble.NETWORK if broken_off else Trouble.TLS, _words(error))
        except requests.exceptions.ProxyError as error:
            return Failure(_proxy_trouble(error), _words(error))
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ) as error:
            return Failure(Trouble.CONFIGURATION, _words(error))
        except (requests.exceptions.RequestException, HTTPError) as error:
            return Failure(Trouble.NETWORK, _words(error))
        except OSError as error:  # requests' own word for a CA bundle that is not there
            return Failure(Trouble.CONFIGURATION, _words(error))

    def _environment(self) -> Mapping[str, Any]:
        """Return what the environment says of proxies and CA bundles, looked up now and then."""
        now = time.monotonic()
        if now - self._settled_at > _SETTLED_SECONDS:
            to = self._destination
            self._settings = self._session.merge_environment_settings(
                to.endpoint, to.proxies, True, to.verify, None
            )
            self._settled_at = now
        return self._settings


def _answer(reply: Reply) -> Answer:
    headers = reply.headers
    # Compressed though we asked for none of it: as good as unread, and never unpacked.
    encoded = headers.get("content-encoding", "").lower() not in ("", "identity")
    return Answer(
        status=reply.status,
        content_type=headers.get("content-type", ""),
        retry_after=headers.get("retry-after"),
        location=headers.get("location"),
        body=reply.body,
        cut=reply.cut or (encoded and reply.body != b""),
    )


def _proxy_trouble(error: Exception) -> Trouble:
    said = _NO_TUNNEL.search(str(_innermost(error)))
    return no_tunnel(int(said[1]) if said else None)


def _words(error: Exception) -> str:
    inner = _innermost(error)
    return f"{type(inner).__name__}: {without_login(str(inner))}"


def _innermost(error: Exception) -> BaseException:
    """Return the exception that a library's nested exceptions are about."""
    inner: BaseException = error
    while True:
        reason = getattr(inner, "reason", None) or (
            inner.args[0] if inner.args and isinstance(inner.args[0], BaseException) else None
        )
        if not isinstance(reason, BaseException):
            return inner
        inner = reason
