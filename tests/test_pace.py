"""How many requests go at once to servers of all kinds, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.support.simulation import (
    TIMEOUT,
    UNAVAILABLE,
    Connected,
    Drain,
    Failing,
    Latency,
    Limited,
    Pool,
    Server,
    constant,
    drain,
    either,
    exponential,
    jitter,
    step,
)
from uploader.gate import Gate

EVENTS = 20_000
LATENCY = 0.05

MakeServer = Callable[[Random], Server]


class Fixed(Gate):
    """A gate that has as many requests under way as it was told, whatever happens."""

    def __init__(self, limit: int) -> None:
        """Have `limit` requests under way."""
        super().__init__(limit, lambda: 0.0)
        self._fixed = limit

    def allowance(self, now: float) -> int:
        """Return the limit."""
        del now
        return self._fixed


def adaptive(
    server: MakeServer, *, most: int = 64, events: int = EVENTS, cpu: float = 0.0, seed: int = 1
) -> Drain:
    """Drain through a gate that finds out how many requests to have under way."""
    return drain(Gate(most, Random(seed).random), server(Random(seed)), events, cpu=cpu)


def best_of_fixed(
    server: MakeServer, *limits: int, events: int = EVENTS, cpu: float = 0.0
) -> float:
    """Return the seconds of the fastest drain with a fixed number of requests."""
    drains = (drain(Fixed(limit), server(Random(1)), events, cpu=cpu) for limit in limits)
    return min(one.seconds for one in drains)


def steady(_: Random) -> Latency:
    """Every request takes as long."""
    return constant(LATENCY)


def jittery(random: Random) -> Latency:
    """Requests take up to 30 % more or less."""
    return jitter(LATENCY, 0.3, random)


def two_sided(random: Random) -> Latency:
    """One request of ten takes ten times as long."""
    return either(LATENCY, 10 * LATENCY, 0.1, random)


def spread(random: Random) -> Latency:
    """Requests take anything from nothing to many times the mean."""
    return exponential(LATENCY, random)


LATENCIES = [steady, jittery, two_sided, spread]


@pytest.mark.parametrize("most", [1, 2, 4, 16, 64])
def test_a_backlog_takes_the_time_of_its_round_trips(most: int) -> None:
    """As many requests as allowed hide the round trip from the first second on."""
    result = adaptive(lambda random: Pool(steady(random)), most=most)

    assert result.seconds <= 1.1 * LATENCY * EVENTS / most
    assert max(limit for _, limit in result.limits) <= most


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("latency", LATENCIES)
def test_as_many_as_allowed_go_at_once_while_more_are_faster(
    latency: Callable[[Random], Latency], seed: int
) -> None:
    """Answers that are slow by chance are not taken for a queue."""
    result = adaptive(lambda random: Pool(latency(random)), seed=seed)

    best = best_of_fixed(lambda random: Pool(latency(random)), 64)
    assert result.seconds <= 1.2 * best
    assert result.mean_limit() >= 60


@pytest.mark.parametrize("handshake", [0.0, 3 * LATENCY], ids=["open", "handshakes"])
@pytest.mark.parametrize("events", [1000, EVENTS])
def test_connections_that_have_to_be_opened_are_not_taken_for_a_queue(
    events: int, handshake: float
) -> None:
    """The first request over TLS takes four round trips, which says nothing about the next."""
    result = adaptive(lambda random: Connected(Pool(jittery(random)), handshake), events=events)

    ideal = events * LATENCY / 64
    assert result.seconds <= 1.1 * ideal + 2 * handshake + 8 * LATENCY
    assert result.limits[-1][1] == 64


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 12, 20, 32])
@pytest.mark.parametrize(
    ("latency", "most"), [(steady, 2.0), (jittery, 2.0), (two_sided, 2.5), (spread, 2.5)]
)
def test_a_server_with_so_many_workers_gets_what_keeps_them_busy(
    latency: Callable[[Random], Latency], most: float, workers: int
) -> None:
    """More requests would only wait in line there."""
    result = adaptive(lambda random: Pool(latency(random), workers))

    best = best_of_fixed(lambda random: Pool(latency(random), workers), workers, 2 * workers)
    assert result.seconds <= 1.2 * best
    assert 0.9 * workers <= result.mean_limit(result.seconds / 2) <= most * workers


@pytest.mark.parametrize("latency", [steady, jittery])
@pytest.mark.parametrize("most", [1, 2, 4, 8, 20, 40])
def test_a_server_that_refuses_more_than_so_many_gets_so_many(
    latency: Callable[[Random], Latency], most: int
) -> None:
    """It is tried whether more are taken now, but more and more rarely."""
    result = adaptive(lambda random: Limited(latency(random), most))

    assert result.under_way >= 0.9 * most
    assert result.failed_share <= 0.005
    assert result.seconds <= 1.1 * LATENCY * EVENTS / most


def test_overload_that_a_server_calls_an_error_is_kept_off_too() -> None:
    """Many servers answer 503 instead of 429."""
    result = adaptive(lambda random: Limited(jittery(random), 20, UNAVAILABLE))

    assert result.under_way >= 0.9 * 20
    assert result.failed_share <= 0.005


def test_a_limit_that_is_raised_is_found() -> None:
    """A server that is given more workers later gets more requests."""
    server = Limited(constant(LATENCY), 8)
    gate = Gate(64, Random(1).random)
    drain(gate, server, EVENTS)

    server.most = 32
    result = drain(gate, Limited(constant(LATENCY), 32), EVENTS)

    assert result.mean_limit(result.seconds / 2) >= 0.9 * 32


def test_a_burst_of_errors_is_soon_forgotten() -> None:
    """A server that restarts is not slow for ever."""
    result = adaptive(lambda random: Failing(Pool(steady(random)), UNAVAILABLE, random, 1, 3, 4))

    assert result.seconds <= 1.1 * (LATENCY * EVENTS / 64 + 1)
    assert result.failed_share <= 0.01
    assert result.limits[-1][1] == 64


def test_requests_that_are_not_answered_cost_their_timeout_once() -> None:
    """All of a round are given up together, and one is tried before the others."""
    result = adaptive(
        lambda random: Failing(Pool(steady(random)), TIMEOUT, random, 1, 3, 3.2, after=10)
    )

    assert result.seconds <= 1.1 * LATENCY * EVENTS / 64 + 10.5
    assert result.failures <= 64


@pytest.mark.parametrize(("share", "slower"), [(0.001, 1.1), (0.01, 3.0)])
def test_errors_now_and_then_do_not_end_in_a_trickle(share: float, slower: float) -> None:
    """They halve the requests at once each time, which is made up for soon."""
    result = adaptive(lambda random: Failing(Pool(steady(random)), UNAVAILABLE, random, share))

    assert result.seconds <= slower * LATENCY * EVENTS / 64


@pytest.mark.parametrize("workers", [20, 1000])
@pytest.mark.parametrize(("before", "after"), [(0.05, 0.2), (0.05, 0.08), (0.2, 0.05)])
def test_another_way_to_the_server_is_learnt(before: float, after: float, workers: int) -> None:
    """What an answer takes can change for reasons that have nothing to do with a queue."""

    def server(_: Random) -> Server:
        return Pool(step(before, after, 5.0), workers)

    result = adaptive(server)

    assert result.seconds <= 1.2 * best_of_fixed(server, min(workers, 64))
    limit = result.mean_limit(result.seconds / 2)
    assert 0.9 * min(workers, 64) <= limit <= min(2 * workers, 64)


def test_not_all_go_at_once_when_this_machine_is_what_takes_time() -> None:
    """On loopback, more wait for each other here: some milliseconds of that are enough."""

    def server(_: Random) -> Server:
        return Pool(constant(0.0001))

    result = adaptive(server, cpu=0.0002)

    assert result.mean_limit() <= 32
    assert result.seconds <= 1.1 * best_of_fixed(server, 1, 2, 4, 16, cpu=0.0002)


def test_a_busy_machine_still_hides_the_round_trip() -> None:
    """20 events of 2 ms each fit into one of 40 ms."""

    def server(_: Random) -> Server:
        return Pool(constant(0.04))

    result = adaptive(server, cpu=0.002, events=5000)

    assert result.seconds <= 1.1 * best_of_fixed(server, 21, 64, cpu=0.002, events=5000)
    assert result.mean_limit() <= 2 * 21
