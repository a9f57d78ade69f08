"""Proxies: through a real one, past it, and with everything that can be wrong about one."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.faults.network_peer import PATH, Connection, Peer, Script, accepting
from tests.faults.network_rows import IN_A_HURRY, Left, Row, Staging, fault, with_both
from tests.faults.network_runs import Ahead, Seen
from tests.faults.network_runs import verify as verify_row
from tests.faults.network_uploader import Stage
from tests.faults.table import survives_each
from tests.faults.test_network_tls import AUTHORITY, current
from tests.support.processes import poll

KEPT = "the events stay in the spool; the endpoint is tried again"
HELD = "the events stay in the spool; the status names the remedy"
SENT = "the events are accepted"
WANTS_CREDENTIALS = "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"

USER, PASSWORD = "spool", "correct-horse"
WRONG_PASSWORD = "battery-staple"

CREDENTIALS = f"BasicAuth {USER} {PASSWORD}"


# A port that was free may be another process's when tinyproxy asks for it.
_PORTS_TO_TRY = 5


class NoTinyproxy(Exception):
    """There is no tinyproxy on this machine."""


@contextmanager
def tinyproxy(directory: Path, *lines: str) -> Iterator[int]:
    """Run a real proxy with these lines in its configuration, and return its port."""
    program = shutil.which("tinyproxy")
    if program is None:
        raise NoTinyproxy("tinyproxy is not installed")
    for _ in range(_PORTS_TO_TRY):
        port = _free_port()
        configuration = directory / "tinyproxy.conf"
        settings = [f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "Allow 127.0.0.1", *lines]
        configuration.write_text("\n".join(settings) + "\n", "utf-8")
        with subprocess.Popen(
            [program, "-d", "-c", configuration],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                poll(partial(_listens_or_ended, process), "tinyproxy listens")
                if process.poll() is None:
                    yield port
                    return
            finally:
                process.kill()
    raise AssertionError(f"tinyproxy ended {_PORTS_TO_TRY} times instead of listening")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _listens_or_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        sockets = psutil.Process(process.pid).net_connections()
    except psutil.NoSuchProcess:
        sockets = []
    if process.poll() is not None:
        return True
    return any(found.status == psutil.CONN_LISTEN for found in sockets)


def variables(proxy: str, directory: Path, **others: str) -> dict[str, str]:
    """Return the variables that make `proxy` the way to everything, plain http here included."""
    bundle = directory / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(bundle))
    return {
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "http_proxy": proxy,
        "FLWR_TELEMETRY_ALLOW_INSECURE": "true",
        "REQUESTS_CA_BUNDLE": str(bundle),
        **others,
    }


def endpoint(*, https: bool) -> Peer:
    """Return an endpoint that takes every event."""
    return Peer(accepting, tls=current() if https else None)


def through(*lines: str, https: bool, login: str = "") -> Staging:
    """Stage a tinyproxy with these settings, and `login` in the variable, before an endpoint."""

    @contextmanager
    def stage(directory: Path) -> Iterator[Stage]:
        with endpoint(https=https) as peer, tinyproxy(directory, *lines) as port:
            proxy = f"http://{login}127.0.0.1:{port}"
            yield Stage(peer.url, variables(proxy, directory), peer)

    return stage


def before_nothing(*, https: bool) -> Staging:
    """Stage a tinyproxy before a port that nobody listens on."""

    @contextmanager
    def stage(directory: Path) -> Iterator[Stage]:
        with socket.socket() as bound, tinyproxy(directory) as port:
            bound.bind(("127.0.0.1", 0))
            scheme, host = ("https", "localhost") if https else ("http", "127.0.0.1")
            url = f"{scheme}://{host}:{bound.getsockname()[1]}{PATH}"
            yield Stage(url, variables(f"http://127.0.0.1:{port}", directory))

    return stage


def behind(script: Script) -> Staging:
    """Stage a proxy that follows a script, before an endpoint that would take every event."""

    @contextmanager
    def stage(directory: Path) -> Iterator[Stage]:
        with endpoint(https=True) as peer, Peer(script) as proxy:
            proxy_url = f"http://127.0.0.1:{proxy.port}"
            yield Stage(peer.url, variables(proxy_url, directory), peer)

    return stage


def by_setting(*lines: str, https: bool, login: str = "") -> Staging:
    """Stage a tinyproxy that the setting names; the variables name one that is not there."""

    @contextmanager
    def stage(directory: Path) -> Iterator[Stage]:
        with (
            endpoint(https=https) as peer,
            tinyproxy(directory, *lines) as port,
            socket.socket() as bound,
        ):
            bound.bind(("127.0.0.1", 0))
            dead = f"http://127.0.0.1:{bound.getsockname()[1]}"
            environ = variables(dead, directory, NO_PROXY="localhost,127.0.0.1")
            environ["FLWR_TELEMETRY_PROXY"] = f"http://{login}127.0.0.1:{port}"
            yield Stage(peer.url, environ, peer)

    return stage


@contextmanager
def direct(directory: Path) -> Iterator[Stage]:
    """Stage a proxy setting that names nobody, and an http endpoint on this machine."""
    with endpoint(https=False) as peer, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{bound.getsockname()[1]}"
        environ = variables(dead, directory, FLWR_TELEMETRY_PROXY=dead)
        del environ["FLWR_TELEMETRY_ALLOW_INSECURE"]
        yield Stage(peer.url, environ, peer)


@contextmanager
def refused(directory: Path) -> Iterator[Stage]:
    """Stage a proxy that is not there. The endpoint's port has a 407 in it, which says nothing."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{bound.getsockname()[1]}"
        yield Stage(f"https://localhost:40712{PATH}", variables(proxy, directory))


@contextmanager
def bypassed(directory: Path) -> Iterator[Stage]:
    """Stage a proxy that is not there, and that NO_PROXY says is not for this endpoint."""
    with endpoint(https=True) as peer, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{bound.getsockname()[1]}"
        environ = variables(proxy, directory, NO_PROXY="example.org,localhost")
        yield Stage(peer.url, environ, peer)


@contextmanager
def nonsense(directory: Path) -> Iterator[Stage]:
    """Stage a variable that names no proxy."""
    with endpoint(https=True) as peer:
        yield Stage(peer.url, variables("http://", directory), peer)


@contextmanager
def no_such_bundle(directory: Path) -> Iterator[Stage]:
    """Stage a CA bundle that is not there."""
    with endpoint(https=True) as peer:
        yield Stage(peer.url, {"REQUESTS_CA_BUNDLE": str(directory / "gone.pem")}, peer)


def silent(connection: Connection) -> None:
    """Read what the proxy is asked, and say nothing."""
    connection.read_head()
    connection.wait_for_the_client()


def dripping(connection: Connection) -> None:
    """Grant the tunnel, one byte at a time."""
    connection.read_head()
    connection.drip(b"HTTP/1.1 200 Established\r\nX: " + b"x" * 10_000)


def grant_and_say_something_else(connection: Connection) -> None:
    """Grant the tunnel, and lead it to a page."""
    connection.read_head()
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
    connection.read_some()
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n<html>")


def hang_up(connection: Connection) -> None:
    """Read what the proxy is asked, and hang up."""
    connection.read_head()


def sent(what: str, staging: Staging) -> Row:
    """Return the row of a way that works."""
    return Row(fault(what, SENT), staging, Left.SENT, accepted_once=True)


def kept(what: str, staging: Staging, reason: str = "", *, hurry: bool = False) -> Row:
    """Return the row of a proxy that may do its work later."""
    return Row(fault(what, KEPT), staging, reason=reason, environ=IN_A_HURRY if hurry else {})


def held(what: str, staging: Staging, reason: str, remedy: str) -> Row:
    """Return the row of what only a person can mend."""
    return Row(fault(what, HELD), staging, Left.KEPT, "held", reason, remedy)


LOGIN, WRONG_LOGIN = f"{USER}:{PASSWORD}@", f"{USER}:{WRONG_PASSWORD}@"
VARIABLES = "the proxy and CA variables"
NO_TUNNELS = "ConnectPort 563"

ROWS = [
    sent("a proxy, to an http endpoint", through(https=False)),
    sent("a proxy, to an https endpoint", through(https=True)),
    sent("a proxy with credentials, http", through(CREDENTIALS, https=False, login=LOGIN)),
    sent("a proxy with credentials, https", through(CREDENTIALS, https=True, login=LOGIN)),
    sent("a proxy that NO_PROXY passes by", bypassed),
    sent("the setting `proxy`, whatever the variables say, http", by_setting(https=False)),
    sent(
        "the setting `proxy` with credentials, whatever the variables say, https",
        by_setting(CREDENTIALS, https=True, login=LOGIN),
    ),
    sent("the setting `proxy`, and an http endpoint on this machine", direct),
    held(
        "the proxy of the setting does not know these credentials",
        by_setting(CREDENTIALS, https=True, login=WRONG_LOGIN),
        "401",
        "put them into the setting `proxy`",
    ),
    held(
        "a proxy wants credentials, http",
        through(CREDENTIALS, https=False),
        "407",
        WANTS_CREDENTIALS,
    ),
    held(
        "a proxy wants credentials, https",
        through(CREDENTIALS, https=True),
        "407",
        WANTS_CREDENTIALS,
    ),
    held(
        "a proxy does not know these credentials, http",
        through(CREDENTIALS, https=False, login=WRONG_LOGIN),
        "HTTP 401",
        "credentials",
    ),
    held(
        "a proxy does not know these credentials, https",
        through(CREDENTIALS, https=True, login=WRONG_LOGIN),
        "401",
        WANTS_CREDENTIALS,
    ),
    kept("a proxy that is not there", refused, "Connection refused"),
    held("a proxy forbids the tunnel", through(NO_TUNNELS, https=True), "403", "NO_PROXY"),
    kept("a proxy cannot reach the endpoint, http", before_nothing(https=False), "HTTP 500"),
    kept("a proxy cannot reach the endpoint, https", before_nothing(https=True), "500"),
    kept("a proxy that is silent", behind(silent), "timed out", hurry=True),
    kept("a proxy that sends one byte a second", behind(dripping), "timed out", hurry=True),
    kept("a proxy that hangs up", behind(hang_up)),
    held("a proxy that leads to a page", behind(grant_and_say_something_else), "SSL", "clock"),
    held("a proxy variable that names no proxy", nonsense, "", VARIABLES),
    held("a CA bundle that is not there", no_such_bundle, "gone.pem", VARIABLES),
]

CASES = with_both(ROWS)


@survives_each(row.fault for row in ROWS)
@pytest.mark.parametrize("row", CASES, ids=[case.name for case in CASES])
def test_a_proxy_leaves_what_it_must(row: Row, ahead: Ahead) -> None:
    """The events go the way that the variables say, or stay; no password is shown to anybody."""
    try:
        seen = ahead.seen(row)
    except NoTinyproxy as reason:
        pytest.skip(str(reason))
    verify_row(row, seen)
    assert not secrets_in(seen)


def secrets_in(seen: Seen) -> list[str]:
    """Return the passwords that the uploader has told, in clear or as proxies are told them."""
    told = f"{seen.daemon} {seen.status} {seen.said}"
    logins = [f"{USER}:{word}".encode() for word in (PASSWORD, WRONG_PASSWORD)]
    secrets = [PASSWORD, WRONG_PASSWORD, *(base64.b64encode(login).decode() for login in logins)]
    return [secret for secret in secrets if secret in told]
