"""Lanes: threads are started as they are needed, where that is possible."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from tests.conftest import DEADLINE_SECONDS
from tests.support.requests import request, submit
from uploader.carrier import Delivered
from uploader.lanes import Lanes
from uploader.outcome import Answer, Failure


class Good:
    """A transport to which everything is answered well."""

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
        """Answer."""
        del body, headers
        return Answer(200)


def test_requests_go_on_when_a_thread_can_be_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who had too many processes for a moment must not lose the uploader for ever."""
    lanes = Lanes(4, Good)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", _refuse)
        submit(lanes, [request(1)])
        (first,) = lanes.collect(DEADLINE_SECONDS)
    submit(lanes, [request(2)])

    assert isinstance(first, Delivered)
    assert isinstance(first.result, Failure)
    assert list(lanes.collect(DEADLINE_SECONDS)) == [Delivered([2], Answer(200))]
    lanes.end()


def _refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
