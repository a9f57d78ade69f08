"""A drain in simulated time: a gate between a backlog and a server that is only described."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from uploader.gate import Gate
from uploader.outcome import Outcome, Verdict

TOO_MANY = Outcome(Verdict.RETRY, "HTTP 429", status=429)
UNAVAILABLE = Outcome(Verdict.RETRY, "HTTP 503", status=503)
TIMEOUT = Outcome(Verdict.RETRY, "no answer")

Latency = Callable[[float], float]
"""The seconds that a request takes, by the time at which it is sent."""


class Server(Protocol):
    """What decides when a request is answered, and how."""

    def arrive(self, now: float) -> tuple[float, Outcome | None]:
        """Take a request sent now; return when it is answered, and the failure if it is one."""
        ...


def constant(seconds: float) -> Latency:
    """Every request takes as long."""
    return lambda _: seconds


def jitter(seconds: float, share: float, random: Random) -> Latency:
    """Requests take up to this share more or less."""
    return lambda _: seconds * random.uniform(1 - share, 1 + share)


def exponential(seconds: float, random: Random) -> Latency:
    """Requests take `seconds` on average, some almost nothing, some much more."""
    return lambda _: random.expovariate(1 / seconds)


def either(fast: float, slow: float, share: float, random: Random) -> Latency:
    """This share of the requests is slow."""
    return lambda _: slow if random.random() < share else fast


def step(before: float, after: float, at: float) -> Latency:
    """Requests take another time from a moment on."""
    return lambda now: before if now < at else after


@dataclass
class Pool:
    """A server that works on so many requests at once and lets the others wait in line."""

    latency: Latency
    workers: int = 1_000_000
    network: float = 0.0
    """Seconds of the round trip in which no worker is needed."""
    _free_at: list[float] = field(default_factory=list)

    def arrive(self, now: float) -> tuple[float, Outcome | None]:
        """Answer when a worker was free and has done it."""
        begins = now
        if len(self._free_at) >= self.workers:
            begins = max(now, heapq.heappop(self._free_at))
        ends = begins + self.latency(now)
        heapq.heappush(self._free_at, ends)
        return ends + self.network, None


@dataclass
class Connected:
    """A server to which the first request of each connection takes longer than the others."""

    server: Server
    handshake: float
    _busy_until: list[float] = field(default_factory=list)

    def arrive(self, now: float) -> tuple[float, Outcome | None]:
        """Use a connection that is free, or open one."""
        opens = not self._busy_until or self._busy_until[0] > now
        if not opens:
            heapq.heappop(self._busy_until)
        answered_at, outcome = self.server.arrive(now + (self.handshake if opens else 0.0))
        heapq.heappush(self._busy_until, answered_at)
        return answered_at, outcome


@dataclass
class Limited:
    """A server that refuses more than so many requests at once."""

    latency: Latency
    most: int
    refusal: Outcome = TOO_MANY
    refused_after: float = 0.05
    _under_way: list[float] = field(default_factory=list)

    def arrive(self, now: float) -> tuple[float, Outcome | None]:
        """Refuse what is too much."""
        while self._under_way and self._under_way[0] <= now:
            heapq.heappop(self._under_way)
        if len(self._under_way) >= self.most:
            return now + self.refused_after, self.refusal
        ends = now + self.latency(now)
        heapq.heappush(self._under_way, ends)
        return ends, None


@dataclass
class Failing:
    """A server that fails a share of the requests sent between two moments."""

    server: Server
    outcome: Outcome
    random: Random
    share: float = 1.0
    begins: float = 0.0
    ends: float = float("inf")
    after: float = 0.05

    def arrive(self, now: float) -> tuple[float, Outcome | None]:
        """Fail, or let the server answer."""
        if self.begins <= now < self.ends and self.random.random() < self.share:
            return now + self.after, self.outcome
        return self.server.arrive(now)


@dataclass
class Drain:
    """What became of a backlog, and on the way."""

    seconds: float = 0.0
    requests: int = 0
    failures: int = 0
    limits: list[tuple[float, int]] = field(default_factory=list)
    """The allowance after each answer."""
    busy: float = 0.0
    """Seconds of requests under way, of all of them together."""

    @property
    def under_way(self) -> float:
        """The mean number of requests under way."""
        return self.busy / self.seconds

    @property
    def failed_share(self) -> float:
        """The share of requests that failed."""
        return self.failures / self.requests

    def mean_limit(self, begins: float = 0.0, ends: float = float("inf")) -> float:
        """Return the mean allowance between two moments, by answers."""
        limits = [limit for now, limit in self.limits if begins <= now < ends]
        return sum(limits) / len(limits)


def drain(gate: Gate, server: Server, events: int, *, cpu: float = 0.0) -> Drain:
    """Send so many events through the gate; each costs `cpu` seconds of the only processor."""
    result = Drain()
    answers: list[tuple[float, int, float, Outcome | None]] = []
    now, left = 0.0, events
    while left or answers:
        while left and len(answers) < gate.allowance(now):
            left -= 1
            result.requests += 1
            sent_at = now
            now += cpu / 2
            answered_at, outcome = server.arrive(now)
            heapq.heappush(answers, (answered_at, result.requests, sent_at, outcome))
        if answers:
            answered_at, _, sent_at, outcome = heapq.heappop(answers)
            now = max(now, answered_at) + cpu / 2
            result.busy += now - sent_at
            if outcome is None:
                gate.answered(now, [sent_at])
            else:
                gate.failed(outcome, now, sent_at=sent_at)
                result.failures += 1
                left += 1
            result.limits.append((now, gate.allowance(now)))
        else:
            now = max(now, gate.closed_until)
    result.seconds = now
    return result
