"""Requests as the engine has them carried, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import NamedTuple

from uploader.carrier import Carrier, Delivered, Requests
from uploader.outcome import Answer, Failure

HEADERS: Mapping[str, str] = {"Content-Type": "application/json", "User-Agent": "flwr/1.41.0"}
KEY = "0123"


class Request(NamedTuple):
    """One of them."""

    ticket: int
    body: bytes
    headers: Mapping[str, str]
    key: str


def request(
    ticket: int, body: bytes = b"{}", headers: Mapping[str, str] = HEADERS, key: str = KEY
) -> Request:
    """Return a request."""
    return Request(ticket, body, headers, key)


def submit(carrier: Carrier, requests: Iterable[Request]) -> None:
    """Have these carried, those together that follow each other with the same headers."""
    for _, alike in groupby(requests, key=lambda request: id(request.headers)):
        tickets, bodies, headers, keys = zip(*alike, strict=True)
        carrier.submit(Requests(headers[0], tickets, bodies, keys))


def one_by_one(groups: Iterable[Requests]) -> list[Request]:
    """Return each request of groups."""
    return [
        Request(ticket, body, headers, key)
        for headers, *columns in groups
        for ticket, body, key in zip(*columns, strict=True)
    ]


def results(delivered: Iterable[Delivered]) -> dict[int, Answer | Failure]:
    """Return what came of requests by ticket, each of which there is once."""
    found = [(ticket, each.result) for each in delivered for ticket in each.tickets]
    assert len(dict(found)) == len(found), "a request ended twice"
    return dict(found)
