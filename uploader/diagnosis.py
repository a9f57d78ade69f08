"""What is wrong on the way to the endpoint, and what a person can do about it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit

from telemetry_spool import __version__
from telemetry_spool.consent import Consent, Mode
from telemetry_spool.diagnosis import Check
from uploader.config import UploaderConfig
from uploader.outcome import Answer, Failure, judge
from uploader.scanner import why_not

_HEADERS = {"User-Agent": f"flwr-telemetry-spool/{__version__}"}

# Some endpoints take nothing but POST: that they say so shows that they are there.
_NO_OPTIONS = (404, 405, 501)
_SERVER_ERRORS = 500


_UNREACHABLE = (
    "check the connection of this machine; where only a proxy gets out, set `proxy` or HTTPS_PROXY"
)


class Prober(Protocol):
    """What can ask the endpoint for an answer without giving it anything."""

    def probe(self, headers: Mapping[str, str]) -> Answer | Failure:
        """Ask, and return what came back."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def diagnose(
    config: UploaderConfig, consent: Consent, connect: Callable[[], Prober]
) -> Iterator[Check]:
    """Look at the settings, then ask the endpoint once, with an OPTIONS request without a body.

    Unless the mode is `on` no connection is opened and no name is looked up.
    """
    yield Check("settings", f"events go to {config.endpoint}")
    yield _lines()
    yield Check("consent", f"{consent.mode.value} ({consent.rule})")
    if consent.mode is not Mode.ON:
        yield Check("network", f"not tried: in mode {consent.mode.value} nothing is sent")
        return
    yield _name(config)
    # Without it, an endpoint that wants it would seem to be out of order.
    authorization = {"Authorization": config.authorization} if config.authorization else {}
    with closing(connect()) as prober:
        result = prober.probe(_HEADERS | authorization)
    yield endpoint(result)


def _lines() -> Check:
    """Say whether lines are read by the compiled part; without it, nothing is wrong but slow."""
    reason = why_not()
    return Check("lines", f"read in Python: {reason}" if reason else "read by the compiled part")


def _name(config: UploaderConfig) -> Check:
    """Look up the endpoint's name; behind a proxy it need not have an address here."""
    parts = urlsplit(config.endpoint)
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, parts.port or parts.scheme, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Check("name", f"{host} has no address here ({error}); a proxy may know it")
    addresses = ", ".join(sorted({str(each[4][0]) for each in found}))
    return Check("name", f"{host} is {addresses}")


def endpoint(result: Answer | Failure) -> Check:
    """Judge what came back; any answer of the endpoint's own shows that it can be reached."""
    if isinstance(result, Answer) and result.status in _NO_OPTIONS:
        return Check("endpoint", f"can be reached; it answers OPTIONS with HTTP {result.status}")
    outcome = judge(result, datetime.now(tz=UTC))
    if isinstance(result, Failure):
        return Check("endpoint", outcome.reason, outcome.remedy or _UNREACHABLE)
    if outcome.remedy or result.status >= _SERVER_ERRORS:
        return Check("endpoint", outcome.reason, outcome.remedy or "try again later: it is down")
    return Check("endpoint", f"can be reached; it answers OPTIONS with HTTP {result.status}")
