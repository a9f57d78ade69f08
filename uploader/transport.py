"""Send one request. The only module that opens sockets to an endpoint."""

from __future__ import annotations

import math
import re
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, ReadTimeoutError

from telemetry_spool.headers import on_the_wire
from uploader.deadline import BoundedAdapter
from uploader.outcome import BODY_BYTES, Answer, Failure, Trouble

_PIECE_BYTES = 8 * 2**10

# Looking for proxies costs as much as a request does; a system's proxies may change all the same.
_SETTLED_SECONDS = 30.0

# A peer that restarts breaks off the handshake: that is for no operator to mend.
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
# The words of http.client, which has no exception of its own for a proxy's answer to CONNECT.
_NO_TUNNEL = re.compile("Tunnel connection failed: ([0-9]{3})")


# A URL that cannot be parsed is in the library's words as it is, with what stands before its host.
_LOGIN = re.compile(r"//\S*@")


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

    def __init__(
        self,
        endpoint: str,
        connect_timeout: float,
        read_timeout: float,
        *,
        direct: bool = False,
        proxy: str | None = None,
        ca_bundle: Path | None = None,
    ) -> None:
        """Send to `endpoint`; the timeouts are in seconds.

        Past any proxy if `direct`, else through `proxy` if there is one, else as the environment
        says; with the authorities in `ca_bundle`, else those that the environment says.
        """
        self._endpoint = endpoint
        self._timeouts = (connect_timeout, read_timeout)
        self._proxies = _proxies(proxy, direct=direct)
        self._verify = str(ca_bundle) if ca_bundle else True
        self._session = requests.Session()
        self._adapter = BoundedAdapter()
        self._request: requests.PreparedRequest | None = None
        self._settings: Mapping[str, Any] = {}
        self._settled_at = -math.inf

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """POST `body` and return what came back."""
        return self._exchange(self._prepared(body, headers))

    def probe(self, headers: Mapping[str, str]) -> Answer | Failure:
        """Ask with OPTIONS, which carries nothing, and return what came back."""
        request = requests.Request("OPTIONS", self._endpoint).prepare()
        request.headers = CaseInsensitiveDict({"Accept-Encoding": "identity", **headers})
        return self._exchange(request)

    def _exchange(self, request: requests.PreparedRequest) -> Answer | Failure:
        try:
            response = self._adapter.send(request, timeout=self._timeouts, **self._environment())
            with response:
                return self._answer(response)
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

    def _prepared(self, body: bytes, headers: Mapping[str, str]) -> requests.PreparedRequest:
        if self._request is None:
            self._request = requests.Request("POST", self._endpoint).prepare()
        request = self._request
        request.body = body
        request.headers = CaseInsensitiveDict(on_the_wire(body, headers))
        return request

    def _environment(self) -> Mapping[str, Any]:
        """Return what the environment says of proxies and CA bundles, looked up now and then."""
        now = time.monotonic()
        if now - self._settled_at > _SETTLED_SECONDS:
            self._settings = self._session.merge_environment_settings(
                self._endpoint, dict(self._proxies), True, self._verify, None
            )
            self._settled_at = now
        return self._settings

    def _answer(self, response: requests.Response) -> Answer:
        body, cut = self._read(response)
        # Compressed though we asked for none of it: as good as unread, and never unpacked.
        encoded = response.headers.get("Content-Encoding", "").lower() not in ("", "identity")
        return Answer(
            status=response.status_code,
            content_type=response.headers.get("Content-Type", ""),
            retry_after=response.headers.get("Retry-After"),
            location=response.headers.get("Location"),
            body=body,
            cut=cut or (encoded and body != b""),
        )

    def _read(self, response: requests.Response) -> tuple[bytes, bool]:
        """Read the beginning of the body, or what of it comes before the read timeout."""
        body = b""
        try:
            while len(body) <= BODY_BYTES:
                piece = response.raw.read1(_PIECE_BYTES, decode_content=False)
                if not piece:
                    return body, False
                body += piece
        except ReadTimeoutError:
            pass  # the status has come, and that is what matters
        except HTTPError:
            # Who refuses a request may hang up before it is read: then the status is enough.
            if response.ok:
                raise
        return body[:BODY_BYTES], True


def _proxies(proxy: str | None, *, direct: bool) -> dict[str, str]:
    if direct:
        return {"no_proxy": "*"}
    return {"http": proxy, "https": proxy} if proxy else {}


def _proxy_trouble(error: Exception) -> Trouble:
    no_tunnel = _NO_TUNNEL.search(str(_innermost(error)))
    match int(no_tunnel[1]) if no_tunnel else None:
        case 401 | 407:
            return Trouble.PROXY_CREDENTIALS
        case 403 | 404 | 405:
            return Trouble.PROXY_REFUSAL
        case _:
            return Trouble.NETWORK


def _words(error: Exception) -> str:
    inner = _innermost(error)
    return f"{type(inner).__name__}: {_LOGIN.sub('//…@', str(inner))}"


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
