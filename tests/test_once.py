"""A single run: it ends when there is nothing left to send, and no later."""

from __future__ import annotations

from unittest.mock import patch

from tests.conftest import Place
from tests.support.endpoint import Endpoint
from uploader import config
from uploader.engine import Engine
from uploader.once import Ending, Result, drain


def once(place: Place, endpoint: Endpoint) -> tuple[Result, list[float]]:
    """Drain the spool; return the result and for how long the engine was told to wait."""
    waits = []
    wait = Engine.wait

    def note(engine: Engine, timeout: float) -> None:
        waits.append(timeout)
        wait(engine, timeout)

    loaded = config.load({"endpoint": endpoint.url}, place.environ)
    with patch.object(Engine, "wait", note):
        return drain(loaded, 60.0, lambda _: None), waits


def test_an_empty_spool_is_not_waited_for(place: Place) -> None:
    """There is nothing that an answer could come to."""
    place.spool.mkdir(parents=True)
    with Endpoint() as endpoint:
        result, waits = once(place, endpoint)

    assert result.ending is Ending.DRAINED
    assert waits == []


def test_the_last_answer_ends_the_run(place: Place) -> None:
    """Whoever runs it from cron or a job script pays for no second of waiting."""
    place.open().append(b'{"event_type": "LAST"}')
    with Endpoint() as endpoint:
        result, waits = once(place, endpoint)

    assert result.ending is Ending.DRAINED
    assert len(endpoint.accepted) == 1
    assert len(waits) == 1
