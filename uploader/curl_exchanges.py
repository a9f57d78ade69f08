"""The requests that are under way, on the handles and connections that they share."""

from __future__ import annotations

import math
import select
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import pycurl

from uploader.carrier import Delivered
from uploader.curl_answers import Answers
from uploader.curl_closing import close
from uploader.curl_exchange import Exchange
from uploader.curl_route import Route
from uploader.outcome import Answer, Failure

# curl names only sockets with numbers below 1024, and a process may have more: nothing under way
# waits longer than this for those that it has not named.
_LONGEST_WAIT = 1.0

_Request = tuple[int, bytes | None, list[bytes]]


class Exchanges:
    """At most `limit` requests at a time; others wait for their turn. Timeouts are in seconds."""

    def __init__(self, connect_timeout: float, read_timeout: float, limit: int) -> None:
        """Begin without any."""
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._limit = limit
        self._answers = Answers()
        self._multi = _multi(limit)
        self._distrusted = False
        self._under_way: dict[Any, Exchange] = {}
        self._free: list[Exchange] = []
        self._waiting: deque[tuple[Route, str, _Request]] = deque()
        self._look_at = math.inf

    def __bool__(self) -> bool:
        """Tell whether any is under way."""
        return bool(self._under_way)

    def begin(self, route: Route, agent: str, requests: Iterable[_Request]) -> None:
        """Make requests as soon as there is room: ticket, body and header lines of each.

        `agent` is the User-Agent of all. Without a body it is OPTIONS, which carries nothing, else
        POST.
        """
        if self._distrusted and not self._under_way:
            close(self._multi)
            self._multi = _multi(self._limit)
            self._distrusted = False
        under_way, now = self._under_way, time.monotonic()
        self._look_at = min(self._look_at, now + self._read_timeout)
        for request in requests:
            if len(under_way) >= self._limit:
                self._waiting.append((route, agent, request))
                continue
            ticket, body, lines = request
            exchange = self._exchange(route) if body is not None else self._new(route)
            exchange.begin(ticket, body, agent, lines, now, self._read_timeout)
            under_way[exchange.handle] = exchange
            self._multi.add_handle(exchange.handle)

    def go_on(self) -> list[Delivered]:
        """Send and receive what can be, and return what has come to an end."""
        ended: list[Delivered] = []
        _, running = self._multi.perform()
        more = running < len(self._under_way)
        while more:
            more, done, broken = self._multi.info_read()
            ended += self._answered(done)
            for handle, code, words in broken:
                result = self._under_way[handle].broken(code, words)
                ended.append(Delivered([self._end(handle).ticket], result))
        now = time.monotonic()
        if now >= self._look_at:
            ended += self._late_ones(now)
        while self._waiting and len(self._under_way) < self._limit:
            route, agent, request = self._waiting.popleft()
            self.begin(route, agent, [request])
        return ended

    def _answered(self, handles: Sequence[Any]) -> list[Delivered]:
        """Return the answers; most are the same one."""
        ended: list[Delivered] = []
        tickets: list[int] = []
        last: Answer | Failure | None = None
        for handle in handles:
            exchange = self._end(handle)
            result = exchange.answer(self._answers)
            if result is not last:
                tickets, last = [], result
                ended.append(Delivered(tickets, result))
            tickets.append(exchange.ticket)
        return ended

    def wait(self, seconds: float, ear: int) -> bool:
        """Wait until there is something to do; tell whether it is to read from `ear`."""
        readers, writers, _ = self._multi.fdset()
        if self._under_way:
            until_late = max(0.0, self._look_at - time.monotonic())
            seconds = min(seconds, until_late, _LONGEST_WAIT)
            milliseconds = self._multi.timeout()
            if milliseconds >= 0:
                seconds = min(seconds, milliseconds / 1000)
        readers.append(ear)
        return ear in select.select(readers, writers, [], seconds)[0]

    def end(self) -> None:
        """Break off what is under way and close everything."""
        for handle in self._under_way:
            self._multi.remove_handle(handle)
        for exchange in [*self._under_way.values(), *self._free]:
            exchange.handle.close()
        self._under_way.clear()
        self._free.clear()
        self._waiting.clear()
        close(self._multi)

    def _exchange(self, route: Route) -> Exchange:
        while self._free:
            exchange = self._free.pop()
            if exchange.route is route and exchange.posts:
                return exchange
            exchange.handle.close()
        return self._new(route)

    def _new(self, route: Route) -> Exchange:
        return Exchange(route, self._connect_timeout)

    def _late_ones(self, now: float) -> list[Delivered]:
        ended = []
        for handle, exchange in list(self._under_way.items()):
            if exchange.due <= now:
                due = exchange.extended(now, self._read_timeout)
                if due is None:
                    result = exchange.late()
                    ended.append(Delivered([self._end(handle).ticket], result))
                else:
                    exchange.due = due
        # A shared connection outlives its requests, and this one may be dead.
        self._distrusted = self._distrusted or bool(ended)
        self._look_at = min((each.due for each in self._under_way.values()), default=math.inf)
        return ended

    def _end(self, handle: Any) -> Exchange:
        """Take a handle from curl. What it has to say of its request it says until the next one."""
        exchange = self._under_way.pop(handle)
        self._multi.remove_handle(handle)
        self._free.append(exchange)
        return exchange


def _multi(connections: int) -> Any:
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
    multi.setopt(pycurl.M_MAXCONNECTS, connections)
    return multi
