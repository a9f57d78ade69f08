"""TLS: certificates that do not hold, peers that speak something else, handshakes that break."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import trustme

from tests.faults.network_peer import Connection, Peer, Script, accepting, answer
from tests.faults.network_rows import IN_A_HURRY, Left, Row, Staging, fault, with_both
from tests.faults.network_runs import Ahead, verify
from tests.faults.network_uploader import Stage
from tests.faults.table import survives_each

HELD = "the events stay in the spool; the status names the remedy"
KEPT = "the events stay in the spool; the endpoint is tried again"
REMEDY = (
    "check this machine's clock and its CA bundle (REQUESTS_CA_BUNDLE, or the setting `ca_bundle`)"
)

# Near the cap, with room for a machine that is slow to write its status.
OPERATORS_WAIT = (300, 900)

# The content type of a handshake, its version and length, and a ServerHello that never ends.
SERVER_HELLO = b"\x16\x03\x03\x40\x00" + b"\x02" + bytes(2000)


AUTHORITY = trustme.CA()


def speaking(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return what a server with this certificate needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def current() -> ssl.SSLContext:
    """Return what an endpoint with a good certificate for `localhost` needs."""
    return speaking(AUTHORITY.issue_cert("localhost"))


def expired() -> ssl.SSLContext:
    """Return the same with a certificate that was good until yesterday."""
    now = datetime.now(tz=UTC)
    before, after = now - timedelta(days=30), now - timedelta(days=1)
    return speaking(AUTHORITY.issue_cert("localhost", not_before=before, not_after=after))


def not_yet_valid() -> ssl.SSLContext:
    """Return the same with a certificate that will be good tomorrow."""
    now = datetime.now(tz=UTC)
    before, after = now + timedelta(days=1), now + timedelta(days=30)
    return speaking(AUTHORITY.issue_cert("localhost", not_before=before, not_after=after))


def of_another_host() -> ssl.SSLContext:
    """Return the same with a certificate for another name."""
    return speaking(AUTHORITY.issue_cert("telemetry.example.org"))


def as_old_as_1_0() -> ssl.SSLContext:
    """Return the same for a server that speaks nothing newer than TLS 1.0."""
    context = current()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1
    return context


@cache
def why_no_tls_1_0() -> str | None:
    """Say why this OpenSSL cannot serve TLS 1.0; None if it can."""
    try:
        server = as_old_as_1_0()
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        client.set_ciphers("ALL:@SECLEVEL=0")
        client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with (
            Peer(lambda connection: connection.send(b"!"), tls=server) as peer,
            socket.create_connection(("127.0.0.1", peer.port)) as raw,
            client.wrap_socket(raw) as connection,
        ):
            return None if connection.version() == "TLSv1" else f"it speaks {connection.version()}"
    except OSError as error:
        return f"{ssl.OPENSSL_VERSION} does not serve TLS 1.0: {error}"


def encrypted(context: Callable[[], ssl.SSLContext], *, trusted: bool) -> Staging:
    """Stage an endpoint that would take every event; its authority is trusted or not known."""

    @contextmanager
    def stage(directory: Path) -> Iterator[Stage]:
        bundle = directory / "ca.pem"
        AUTHORITY.cert_pem.write_to_path(str(bundle))
        environ = {"REQUESTS_CA_BUNDLE": str(bundle)} if trusted else {}
        with Peer(accepting, tls=context()) as peer:
            yield Stage(peer.url, environ, peer)

    return stage


def by_setting(*, trusted: bool) -> Staging:
    """Stage an endpoint whose authority is, or is not, in the setting; the variable says not so."""

    @contextmanager
    def stage(directory: Path) -> Iterator[Stage]:
        good, bad = directory / "good.pem", directory / "bad.pem"
        AUTHORITY.cert_pem.write_to_path(str(good))
        trustme.CA().cert_pem.write_to_path(str(bad))
        setting, variable = (good, bad) if trusted else (bad, good)
        environ = {"FLWR_TELEMETRY_CA_BUNDLE": str(setting), "REQUESTS_CA_BUNDLE": str(variable)}
        with Peer(accepting, tls=current()) as peer:
            yield Stage(peer.url, environ, peer)

    return stage


def unencrypted(script: Script) -> Staging:
    """Stage an endpoint whose URL says https, and who does what a script says instead."""

    @contextmanager
    def stage(_: Path) -> Iterator[Stage]:
        with Peer(script) as peer:
            yield Stage(peer.url.replace("http://127.0.0.1", "https://localhost"), peer=peer)

    return stage


def speak_http(connection: Connection) -> None:
    """Take the client's first words for a bad request."""
    connection.read_some()
    connection.send(answer(400, b""))


def hang_up(connection: Connection) -> None:
    """Read the client's first words and end the connection."""
    connection.read_some()


def hang_up_in_the_handshake(connection: Connection) -> None:
    """Begin an answer to the client's first words, and end the connection."""
    connection.read_some()
    connection.send(SERVER_HELLO[:60])


def reset_in_the_handshake(connection: Connection) -> None:
    """Read the client's first words and break the connection."""
    connection.read_some()
    connection.reset()


def drip_the_handshake(connection: Connection) -> None:
    """Send the handshake a byte at a time."""
    connection.read_some()
    connection.drip(SERVER_HELLO)


def held(what: str, staging: Staging, reason: str) -> Row:
    """Return the row of what only a person can mend."""
    return Row(fault(what, HELD), staging, Left.KEPT, "held", reason, REMEDY, waits=OPERATORS_WAIT)


def broken_off(what: str, script: Script, reason: str = "") -> Row:
    """Return the row of a handshake that ends before it is done."""
    return Row(fault(what, KEPT), unencrypted(script), reason=reason)


UNTRUSTED = "an unknown certificate authority"
BAD = "CERTIFICATE_VERIFY_FAILED"

ROWS = [
    Row(
        fault("a certificate authority that REQUESTS_CA_BUNDLE names", "the events are accepted"),
        encrypted(current, trusted=True),
        Left.SENT,
        accepted_once=True,
    ),
    Row(
        fault(
            "a certificate authority in `ca_bundle`, and not in REQUESTS_CA_BUNDLE",
            "the events are accepted",
        ),
        by_setting(trusted=True),
        Left.SENT,
        accepted_once=True,
    ),
    held(
        "a certificate authority in REQUESTS_CA_BUNDLE, and not in `ca_bundle`",
        by_setting(trusted=False),
        BAD,
    ),
    held(UNTRUSTED, encrypted(current, trusted=False), BAD),
    held("an expired certificate", encrypted(expired, trusted=True), "expired"),
    held("a certificate of tomorrow", encrypted(not_yet_valid, trusted=True), "not yet valid"),
    held("the certificate of another host", encrypted(of_another_host, trusted=True), "Hostname"),
    held("TLS 1.0", encrypted(as_old_as_1_0, trusted=True), "SSL"),
    held("https to a port that speaks http", unencrypted(speak_http), "WRONG_VERSION_NUMBER"),
    broken_off("the peer hangs up at the beginning of the handshake", hang_up),
    broken_off("the peer hangs up in the handshake", hang_up_in_the_handshake),
    broken_off("a reset in the handshake", reset_in_the_handshake),
    Row(
        fault("one byte a second, in the handshake", KEPT),
        unencrypted(drip_the_handshake),
        reason="timed out",
        environ=IN_A_HURRY,
    ),
]

CASES = with_both(ROWS)


@survives_each(row.fault for row in ROWS)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated")
@pytest.mark.parametrize("row", CASES, ids=[case.name for case in CASES])
def test_a_fault_of_tls_leaves_what_it_must(row: Row, ahead: Ahead) -> None:
    """Nothing is sent to whom it is not for; who is to mend it learns how."""
    if row.fault.what == "TLS 1.0" and (reason := why_no_tls_1_0()):
        pytest.skip(reason)
    verify(row, ahead.seen(row))
