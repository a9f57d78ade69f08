"""Requests as the engine has them carried, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from uploader.carrier import Delivered, Request
from uploader.outcome import Answer, Failure

HEADERS: Mapping[str, str] = {"Content-Type": "application/json", "User-Agent": "flwr/1.41.0"}
KEY = "0123"


def request(
    ticket: int, body: bytes = b"{}", headers: Mapping[str, str] = HEADERS, key: str = KEY
) -> Request:
    """Return a request."""
    return Request(ticket, body, headers, key)


def results(delivered: Iterable[Delivered]) -> dict[int, Answer | Failure]:
    """Return what came of requests by ticket, each of which there is once."""
    found = [(ticket, each.result) for each in delivered for ticket in each.tickets]
    assert len(dict(found)) == len(found), "a request ended twice"
    return dict(found)
