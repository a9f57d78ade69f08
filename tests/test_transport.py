"""The transport against real sockets: what goes out, what comes back, and what must not happen."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DEADLINE_SECONDS
from tests.support.endpoint import Answer as Scripted
from tests.support.endpoint import Endpoint, in_turn
from tests.support.network import (
    RawServer,
    read_request,
    says,
    to,
    unused_port,
)
from uploader.curl import CurlTransport
from uploader.outcome import BODY_BYTES, Answer, Failure, Trouble
from uploader.transport import RequestsTransport

pytestmark = pytest.mark.usefixtures("plain_network")

HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "flwr/1.41.0",
    "Idempotency-Key": "0123",
}


@dataclass(frozen=True, slots=True)
class Client:
    """Sends over new transports of one kind."""

    kind: type[RequestsTransport] | type[CurlTransport]

    def transport(self, url: str, **settings: Any) -> RequestsTransport | CurlTransport:
        """Return a transport to this address."""
        return self.kind(to(url, **settings))

    def send(
        self, url: str, body: bytes = b"{}", *, read_timeout: float = 20.0
    ) -> Answer | Failure:
        """Send one body over a new transport."""
        return self.transport(url, read_timeout=read_timeout).send(body, HEADERS)

    def answer_to(self, url: str, *, read_timeout: float = 20.0) -> Answer:
        """Send and return the answer, which must come."""
        answer = self.send(url, read_timeout=read_timeout)
        assert isinstance(answer, Answer), answer
        return answer

    def failure_at(self, url: str, *, read_timeout: float = 20.0) -> Failure:
        """Send and return the failure, which must happen."""
        failure = self.send(url, read_timeout=read_timeout)
        assert isinstance(failure, Failure), failure
        return failure


@pytest.fixture(params=[RequestsTransport, CurlTransport], ids=["requests", "curl"])
def client(request: pytest.FixtureRequest) -> Client:
    """Return a client of each kind in turn."""
    return Client(request.param)


def test_the_request_is_flowers_and_nothing_more(client: Client, endpoint: Endpoint) -> None:
    """The exact bytes, the given headers, and what HTTP itself needs."""
    body = b'{"event_type":  "RUN", "u": "\xc3\xbc"}'

    client.transport(endpoint.url).send(body, HEADERS)

    (request,) = endpoint.requests
    assert (request.method, request.path, request.body) == ("POST", "/api/v1/event", body)
    assert dict(request.headers.items()) == {
        **HEADERS,
        "Host": f"127.0.0.1:{endpoint.port}",
        "Content-Length": str(len(body)),
        "Accept-Encoding": "identity",
    }


def test_the_answer_is_status_headers_and_body(client: Client, endpoint: Endpoint) -> None:
    """Everything that the outcome is decided by."""
    endpoint.answer = lambda _: Scripted(
        503, {"Content-Type": "text/plain", "Retry-After": "7"}, b"later"
    )

    assert client.answer_to(endpoint.url) == Answer(
        503, "text/plain", "7", None, b"later", cut=False
    )


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 404, 413, 429, 500, 503])
def test_every_status_is_an_answer(client: Client, endpoint: Endpoint, status: int) -> None:
    """Nothing is decided here."""
    endpoint.answer = lambda _: Scripted(status, {}, b"")

    assert client.answer_to(endpoint.url).status == status


def test_consecutive_requests_share_a_connection(client: Client) -> None:
    """Whatever is answered, with a body or without: a handshake for each event would cost most."""

    def talk(connection: socket.socket) -> None:
        answers = iter(
            [
                b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",
                b"HTTP/1.1 204 No Content\r\n\r\n",
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno",
                b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 5\r\n\r\nmoved",
                b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
            ]
        )
        while read_request(connection):
            connection.sendall(next(answers))

    with RawServer(talk) as server:
        sender = client.transport(f"http://127.0.0.1:{server.port}/")
        results = [sender.send(b"{}", HEADERS) for _ in range(6)]

        assert [result.status for result in results if isinstance(result, Answer)] == [
            201,
            204,
            400,
            302,
            503,
            201,
        ]
        assert server.connections == 1


def test_a_connection_that_ended_meanwhile_is_opened_again(
    client: Client, endpoint: Endpoint
) -> None:
    """Endpoints and firewalls close what idles; that is no failure."""
    sender = client.transport(endpoint.url)
    sender.send(b"{}", HEADERS)
    endpoint.stop()
    endpoint.start()

    assert isinstance(sender.send(b"{}", HEADERS), Answer)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(client: Client, endpoint: Endpoint, status: int) -> None:
    """Events go where the user has seen them going."""
    location = endpoint.url + "/elsewhere"
    endpoint.answer = lambda _: Scripted(status, {"Location": location}, b"moved")

    answer = client.answer_to(endpoint.url)

    assert (answer.status, answer.location) == (status, location)
    assert [request.path for request in endpoint.requests] == ["/api/v1/event"]


@pytest.mark.parametrize(
    "location", ["http://[", "https://a:port/", "gopher://x", "//", "\u00e9", "http://\u0080"]
)
def test_a_redirect_to_nonsense_is_an_answer(
    client: Client, endpoint: Endpoint, location: str
) -> None:
    """Nobody goes there, so nobody has to understand it."""
    endpoint.answer = lambda _: Scripted(302, {"Location": location}, b"")

    assert client.answer_to(endpoint.url).status == 302


@pytest.mark.parametrize("head", [b"200 OK", b"302 Found\r\nLocation: /x", b"500 Oops"])
def test_an_endless_body_is_not_read_to_its_end(client: Client, head: bytes) -> None:
    """The beginning says enough, and memory is not the endpoint's to fill."""
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(b"HTTP/1.1 " + head + b"\r\nContent-Type: text/html\r\n\r\n")
        for _ in range(64):
            connection.sendall(b"x" * 2**20)
            sent += 2**20

    with RawServer(talk) as server:
        answer = client.answer_to(f"http://127.0.0.1:{server.port}/")

    assert answer.body == b"x" * BODY_BYTES
    assert answer.cut
    assert sent < 32 * 2**20


@pytest.mark.parametrize(("more", "cut"), [(0, False), (1, True)])
def test_a_body_is_cut_only_where_there_is_more(
    client: Client, endpoint: Endpoint, more: int, cut: bool
) -> None:
    """The longest that is read whole, and one byte more."""
    endpoint.answer = lambda _: Scripted(200, {}, b"x" * (BODY_BYTES + more))

    answer = client.answer_to(endpoint.url)

    assert (len(answer.body), answer.cut) == (BODY_BYTES, cut)


@contextmanager
def trickling(at_once: bytes, slowly: bytes) -> Iterator[str]:
    """Run a server whose answer comes byte by byte, without end, and return its URL."""
    done = threading.Event()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(at_once)
        while not done.wait(0.02):
            connection.sendall(slowly)

    with RawServer(talk) as server:
        yield f"http://127.0.0.1:{server.port}/"
        done.set()


def test_a_trickle_does_not_keep_the_lane(client: Client) -> None:
    """Each byte comes in time, and all of them would take for ever."""
    with trickling(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b" ") as url:
        answer = client.answer_to(url, read_timeout=0.5)

    assert answer.cut


def test_headers_that_trickle_in_are_no_answer(client: Client) -> None:
    """Each byte comes in time, and all of them would take for ever."""
    with trickling(b"HTTP/1.1 200 OK\r\nX: ", b"x") as url:
        failure = client.failure_at(url, read_timeout=0.5)

    assert failure.trouble is Trouble.NETWORK


def test_a_slow_line_may_take_longer_than_an_answer(client: Client) -> None:
    """As long as the body gets on: the read timeout is for what comes after it."""
    size = 24 * 2**20

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(2**16)
        left = size - len(received.partition(b"\r\n\r\n")[2])
        while left > 0:
            piece = connection.recv(min(left, 2**20), socket.MSG_WAITALL)
            left -= len(piece)
            pause.wait(0.15)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    pause = threading.Event()
    with RawServer(talk) as server:
        url = f"http://127.0.0.1:{server.port}/"
        result = client.send(url, b"x" * size, read_timeout=2.0)

    assert isinstance(result, Answer), result


def test_a_body_may_take_longer_than_a_connection(client: Client) -> None:
    """The endpoint is near, and busy."""
    pause = threading.Event()
    body = b"x" * (24 * 2**20)

    def talk(connection: socket.socket) -> None:
        pause.wait(1.0)
        if read_request(connection).endswith(body):
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with RawServer(talk) as server:
        sender = client.transport(f"http://127.0.0.1:{server.port}/", connect_timeout=0.3)
        result = sender.send(body, HEADERS)

    assert result == Answer(201)


def test_a_body_that_gets_stuck_is_the_network(client: Client) -> None:
    """Nobody reads it: there is no waiting for ever."""
    done = threading.Event()

    def talk(_: socket.socket) -> None:
        done.wait(DEADLINE_SECONDS)

    with RawServer(talk) as server:
        url = f"http://127.0.0.1:{server.port}/"
        sender = client.transport(url, connect_timeout=0.5, read_timeout=0.5)
        result = sender.send(b"x" * 2**25, HEADERS)
        done.set()

    assert isinstance(result, Failure)
    assert result.trouble is Trouble.NETWORK


def test_who_refuses_before_all_has_come_is_heard(client: Client) -> None:
    """A body that is too large is not read to its end, and the answer says so."""

    def talk(connection: socket.socket) -> None:
        connection.recv(2**10)
        connection.sendall(
            b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(2**20):
            pass

    with RawServer(talk) as server:
        result = client.send(f"http://127.0.0.1:{server.port}/", b"x" * 2**24)

    assert isinstance(result, Answer), result
    assert result.status == 413


def test_a_provisional_answer_is_not_the_answer(client: Client) -> None:
    """Nor are its headers the answer's."""
    answer = (
        b"HTTP/1.1 100 Continue\r\nRetry-After: 5\r\nLocation: /x\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n{}"
    )
    with RawServer(says(answer)) as server:
        found = client.answer_to(f"http://127.0.0.1:{server.port}/")

    assert found == Answer(201, "a/b", body=b"{}")


def test_a_compressed_body_is_as_good_as_unread(client: Client, endpoint: Endpoint) -> None:
    """Nobody asked for it, and it is not unpacked."""
    packed = gzip.compress(b"{}")
    headers = {"Content-Type": "application/json", "content-encoding": "gzip"}
    endpoint.answer = lambda _: Scripted(200, headers, packed)

    assert client.answer_to(endpoint.url) == Answer(200, "application/json", body=packed, cut=True)


def test_a_refusal_that_breaks_off_is_an_answer(client: Client) -> None:
    """Its status is enough; of an acceptance all of it must come."""
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nno"
    with RawServer(says(answer)) as server:
        found = client.answer_to(f"http://127.0.0.1:{server.port}/")

    assert (found.status, found.cut) == (400, True)


def test_a_probe_carries_nothing(client: Client, endpoint: Endpoint) -> None:
    """It is no POST, and none of the headers of one go with it."""
    sender = client.transport(endpoint.url)

    results = [sender.probe({"User-Agent": "a/1"}), sender.send(b"{}", HEADERS)]

    assert all(isinstance(each, Answer) for each in results)
    assert [request.method for request in endpoint.requests] == ["OPTIONS", "POST"]
    assert dict(endpoint.requests[0].headers.items()) == {
        "User-Agent": "a/1",
        "Host": f"127.0.0.1:{endpoint.port}",
        "Accept-Encoding": "identity",
    }


@pytest.mark.parametrize("body", [b"", b"\0a\0", b"x" * 2**21], ids=["empty", "NUL", "2 MiB"])
def test_every_body_goes_out_as_it_is(client: Client, endpoint: Endpoint, body: bytes) -> None:
    """At once: nobody is asked whether it may come."""
    client.send(endpoint.url, body)

    (request,) = endpoint.requests
    assert request.body == body
    assert request.headers["Content-Length"] == str(len(body))
    assert request.headers["Expect"] is None


def test_cookies_are_not_sent_back(client: Client, endpoint: Endpoint) -> None:
    """Nobody between here and the endpoint can mark this machine."""
    endpoint.answer = lambda _: Scripted(201, {"Set-Cookie": "id=1; Path=/; Max-Age=99999"}, b"{}")
    sender = client.transport(endpoint.url)

    for _ in range(3):
        sender.send(b"{}", HEADERS)

    assert [request.headers["Cookie"] for request in endpoint.requests] == [None] * 3


@pytest.mark.parametrize("by_variable", [False, True], ids=[".netrc", "NETRC"])
def test_no_credentials_are_taken_from_netrc(
    client: Client,
    endpoint: Endpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by_variable: bool,
) -> None:
    """A password for this host is for something else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    netrc = tmp_path / (".netrc" if not by_variable else "elsewhere")
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    if by_variable:
        monkeypatch.setenv("NETRC", str(netrc))

    client.send(endpoint.url)

    assert endpoint.requests[0].headers["Authorization"] is None


def test_a_proxy_is_used(
    client: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one of the environment, as for every other program."""
    monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@127.0.0.1:{endpoint.port}")

    answer = client.answer_to("http://telemetry.invalid/api/v1/event")

    (request,) = endpoint.requests
    assert answer.status == 201
    assert request.path == "http://telemetry.invalid/api/v1/event"
    assert request.headers["Proxy-Authorization"] == "Basic dXNlcjpzZWNyZXQ="


def test_a_proxy_sees_no_more_headers_than_the_endpoint(
    client: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the login that is for it."""
    monkeypatch.setenv("HTTP_PROXY", f"http://user:secret@127.0.0.1:{endpoint.port}")

    client.answer_to("http://telemetry.invalid/api/v1/event")

    (request,) = endpoint.requests
    assert sorted(request.headers.keys()) == sorted(
        [*HEADERS, "Host", "Content-Length", "Accept-Encoding", "Proxy-Authorization"]
    )


def test_a_proxy_that_is_to_connect_learns_the_address_and_no_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent, and by which package, is for the endpoint only."""
    heard: list[bytes] = []
    with RawServer(lambda connection: heard.append(read_request(connection))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{proxy.port}")
        client.failure_at("https://telemetry.invalid/")

    first, *headers = heard[0].lower().split(b"\r\n")[:-2]
    assert first.startswith(b"connect telemetry.invalid:443 http/1.")
    allowed = [b"host: telemetry.invalid:443", b"proxy-authorization: basic dxnlcjpzzwnyzxq="]
    assert set(headers) - {allowed[0]} == {allowed[1]}


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_proxy_that_refuses_to_connect_is_known_by_its_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """It will not do so later."""
    answer = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
    with RawServer(says(answer)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:horse@127.0.0.1:{proxy.port}")

        failure = client.failure_at("https://telemetry.invalid/")

    assert failure.trouble is Trouble.PROXY_REFUSAL
    assert "horse" not in failure.message


def test_no_proxy_is_heeded(
    client: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector in the house is reached without a detour."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")
    here = endpoint.url.replace("127.0.0.1", "0.0.0.0")
    assert client.failure_at(here).trouble is Trouble.NETWORK

    monkeypatch.setenv("NO_PROXY", "0.0.0.0")

    assert client.answer_to(here).status == 201


def test_a_direct_transport_passes_every_proxy_by(
    client: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may be in the clear because it stays on this machine must stay on it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")

    answer = client.transport(endpoint.url, direct=True).send(b"{}", {})

    assert isinstance(answer, Answer)
    assert answer.status == 201


def test_a_proxy_that_wants_credentials_is_known_by_its_407(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no answer of the endpoint then, but a person can mend it."""
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with RawServer(says(answer)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")

        assert client.failure_at("https://telemetry.invalid/").trouble is Trouble.PROXY_CREDENTIALS


@pytest.mark.parametrize("answer", [b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b""], ids=["502", "none"])
def test_a_proxy_that_cannot_connect_is_the_network(
    client: Client, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """It is tried again: the trouble is behind the proxy, whatever numbers the address has."""
    with RawServer(says(answer)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")

        assert client.failure_at("https://telemetry.invalid/407").trouble is Trouble.NETWORK


def test_a_proxy_that_is_away_is_the_network(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The laptop is not in the office."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused_port()}")

    assert client.failure_at("https://telemetry.invalid/407").trouble is Trouble.NETWORK


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://", "http://a b:1", "nonsense:x"])
def test_a_proxy_that_cannot_be_meant_is_a_wrong_setting(
    client: Client, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Trying again mends no variable."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    assert client.failure_at("https://telemetry.invalid/").trouble is Trouble.CONFIGURATION


@pytest.mark.parametrize(
    "url",
    [
        "http://spool:correct-horse@127.0.0.1:port",
        "http://spool:correct-horse@127.0.0.1:99999",
        "http://spool:correct/horse@127.0.0.1:9",
        "http://spool:correct-horse@[::1",
        "ftp://spool:correct-horse@127.0.0.1:9",
    ],
)
def test_the_password_of_an_odd_proxy_is_in_no_message(
    client: Client, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Libraries quote what they cannot parse, and the message goes to logs and to the status."""
    monkeypatch.setenv("HTTPS_PROXY", url)

    failure = client.failure_at("https://telemetry.example.org/")

    assert "horse" not in failure.message


def test_a_proxy_that_is_set_beats_the_environment(
    client: Client, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY too: who names a proxy means it."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("NO_PROXY", "telemetry.example.org")
    through = client.transport(
        "http://telemetry.example.org/api", proxy=endpoint.url.partition("/api")[0]
    )

    for _ in range(2):
        assert isinstance(through.send(b"{}", HEADERS), Answer)
    assert {request.path for request in endpoint.requests} == {"http://telemetry.example.org/api"}


def test_a_direct_transport_passes_the_proxy_that_is_set_by(
    client: Client, endpoint: Endpoint
) -> None:
    """Plain http is allowed to this machine because nobody is in between."""
    dead = f"http://127.0.0.1:{unused_port()}"

    answer = client.transport(endpoint.url, direct=True, proxy=dead).send(b"{}", {})

    assert isinstance(answer, Answer)


def test_a_ca_bundle_that_is_missing_is_a_wrong_setting(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has its path."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/ca.pem")

    failure = client.failure_at(f"https://127.0.0.1:{unused_port()}/")

    assert failure.trouble is Trouble.CONFIGURATION
    assert "/nonexistent/ca.pem" in failure.message


def test_a_refused_connection_is_the_network(client: Client) -> None:
    """The words are the system's."""
    failure = client.failure_at(f"http://127.0.0.1:{unused_port()}/")

    assert failure.trouble is Trouble.NETWORK
    assert "Connection refused" in failure.message


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 2", id="half a status"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", id="no number"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", id="half a body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="broken chunk"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", id="endless header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", id="many headers"),
    ],
)
def test_an_answer_that_is_none_is_the_network(client: Client, answer: bytes) -> None:
    """It is tried again, and the event with it."""
    with RawServer(says(answer)) as server:
        assert client.failure_at(f"http://127.0.0.1:{server.port}/").trouble is Trouble.NETWORK


def test_an_answer_that_does_not_come_is_the_network(client: Client) -> None:
    """After `read_timeout`."""
    done = threading.Event()

    def talk(_: socket.socket) -> None:
        done.wait(DEADLINE_SECONDS)

    with RawServer(talk) as server:
        failure = client.failure_at(f"http://127.0.0.1:{server.port}/", read_timeout=0.2)
        done.set()

    assert failure.trouble is Trouble.NETWORK


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate for 127.0.0.1 that nobody signed, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("making a certificate takes openssl")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    options = f"""
        req -x509 -nodes -days 1 -newkey rsa:2048 -keyout {path} -out {path}
        -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1
    """
    subprocess.run(
        [openssl, *options.split()], check=True, capture_output=True, timeout=DEADLINE_SECONDS
    )
    return path


@pytest.fixture
def secure_endpoint(certificate: Path) -> Iterator[str]:
    """Return the address of an endpoint with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    talk = says(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
    with RawServer(talk, context=context) as server:
        yield f"https://127.0.0.1:{server.port}/"


def test_a_certificate_that_nobody_signed_is_not_trusted(
    client: Client, secure_endpoint: str
) -> None:
    """Nothing is sent to whoever answers, and a person is told."""
    failure = client.failure_at(secure_endpoint)

    assert failure.trouble is Trouble.TLS
    assert "self-signed certificate" in failure.message


def test_a_ca_bundle_of_the_environment_is_trusted(
    client: Client, secure_endpoint: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company's own CA works as it does for `requests`."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

    assert client.answer_to(secure_endpoint).status == 201


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_connection_that_breaks_in_the_handshake_is_the_network(
    client: Client, reset: bool
) -> None:
    """Only what was presented can be untrusted; here nothing was."""

    def talk(connection: socket.socket) -> None:
        connection.recv(1)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with RawServer(talk) as server:
        assert client.failure_at(f"https://127.0.0.1:{server.port}/").trouble is Trouble.NETWORK


def test_an_endpoint_without_tls_is_a_wrong_setting_or_a_portal(
    client: Client, endpoint: Endpoint
) -> None:
    """Nothing that was said could be trusted; it is held."""
    assert client.failure_at(f"https://127.0.0.1:{endpoint.port}/").trouble is Trouble.TLS


def test_answers_in_turn_reach_the_right_requests(client: Client, endpoint: Endpoint) -> None:
    """What is left of a long answer is not taken for the next one."""
    endpoint.answer = in_turn([Scripted(500, {}, b"x" * 10 * BODY_BYTES), Scripted(400, {}, b"no")])
    sender = client.transport(endpoint.url)

    results = [sender.send(b"{}", HEADERS) for _ in range(3)]

    assert [result.status for result in results if isinstance(result, Answer)] == [500, 400, 201]
