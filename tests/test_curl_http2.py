"""HTTP/2 where the endpoint offers it, against a real server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypercorn.asyncio import serve
from hypercorn.config import Config

from tests.conftest import DEADLINE_SECONDS
from tests.support.network import to
from tests.support.requests import HEADERS, KEY, request, results, submit
from uploader.carrier import Delivered
from uploader.curl_carrier import CurlCarrier
from uploader.outcome import Answer, Failure

pytestmark = pytest.mark.usefixtures("plain_network")


@dataclass(slots=True)
class Seen:
    """What an endpoint has seen, and where it is."""

    url: str = ""
    authorities: Path = Path()
    versions: set[str] = field(default_factory=set)
    connections: set[tuple[str, int]] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)


def application(seen: Seen) -> Any:
    """Return an application that answers each request with its own body."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        seen.versions.add(scope["http_version"])
        seen.connections.add(tuple(scope["client"]))
        seen.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if body == b"late":
            await asyncio.sleep(DEADLINE_SECONDS)
        headers = [(b"content-type", b"application/json"), (b"retry-after", b"7")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


@contextmanager
def endpoint(directory: Path, protocols: list[str]) -> Iterator[Seen]:
    """Run an endpoint with TLS that offers these protocols."""
    authority = trustme.CA()
    seen = Seen(authorities=directory / "ca.pem")
    authority.cert_pem.write_to_path(seen.authorities)
    chain = directory / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(chain)
    listener = socket.create_server(("127.0.0.1", 0))
    seen.url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.certfile = config.keyfile = str(chain)
    config.alpn_protocols = protocols
    config.errorlog = None
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    serving = serve(application(seen), config, shutdown_trigger=stop.wait, mode="asgi")
    thread = threading.Thread(target=loop.run_until_complete, args=(serving,), daemon=True)
    thread.start()
    yield seen
    loop.call_soon_threadsafe(stop.set)
    thread.join(DEADLINE_SECONDS)
    loop.close()


def exchanged(seen: Seen, count: int) -> dict[int, Answer | Failure]:
    """Send so many requests, eight at a time, and return their answers."""
    carrier = CurlCarrier(to(seen.url, ca_bundle=seen.authorities), 8)
    submit(carrier, [request(ticket, b"%d" % ticket) for ticket in range(count)])
    delivered: list[Delivered] = []
    while len(results(delivered)) < count:
        messages = carrier.collect(DEADLINE_SECONDS)
        assert messages
        delivered += [message for message in messages if isinstance(message, Delivered)]
    carrier.end()
    return results(delivered)


@pytest.mark.parametrize(
    ("protocols", "version", "most"), [(["h2", "http/1.1"], "2", 1), (["http/1.1"], "1.1", 8)]
)
def test_requests_share_connections_as_the_endpoint_allows(
    tmp_path: Path, protocols: list[str], version: str, most: int
) -> None:
    """One handshake for all with HTTP/2, else one for each request at a time."""
    with endpoint(tmp_path, protocols) as seen:
        answers = exchanged(seen, 100)

        assert answers == {
            ticket: Answer(503, "application/json", "7", body=b"%d" % ticket)
            for ticket in range(100)
        }
        assert seen.versions == {version}
        assert len(seen.connections) <= most


def test_the_headers_are_the_same_ones_with_http_2(tmp_path: Path) -> None:
    """In lower case, as HTTP/2 wants them."""
    with endpoint(tmp_path, ["h2"]) as seen:
        exchanged(seen, 1)

        (headers,) = seen.headers
        assert {name: headers[name] for name in headers if name != "host"} == {
            **{name.lower(): value for name, value in HEADERS.items()},
            "idempotency-key": KEY,
            "content-length": "1",
            "accept-encoding": "identity",
        }


def test_a_connection_whose_answer_did_not_come_is_left(tmp_path: Path) -> None:
    """It may be dead, and nothing that is sent over it would arrive."""
    with endpoint(tmp_path, ["h2"]) as seen:
        carrier = CurlCarrier(to(seen.url, read_timeout=0.5, ca_bundle=seen.authorities), 2)
        for ticket, body in enumerate([b"late", b"1", b"2", b"3"]):
            submit(carrier, [request(ticket, body)])
            assert carrier.collect(DEADLINE_SECONDS)
        carrier.end()

        assert len(seen.connections) == 2
