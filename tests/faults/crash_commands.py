"""SIGKILL at every change that a command of `telemetry-spool` makes, and the next one after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Place
from tests.faults.crash_points import (
    CHANGING,
    CrashServer,
    Point,
    Run,
    calls_that_touch,
    kill_everywhere,
)
from tests.support import carried

Prepare = Callable[[Place, Path], None]
Check = Callable[[Place, Path, list[bytes]], None]


class Crashes:
    """Kills a command everywhere, does the same again, and lets a check look."""

    def __init__(self, server: CrashServer, directory: Path) -> None:
        self._server = server
        self._directory = directory

    def everywhere(
        self, prepare: Prepare, command: list[str], check: Check, then: list[str] | None = None
    ) -> int:
        """Try each crash point twice: with an uploader that drains before the second run, and not.

        `then` is the second command, the same one by default. Returns how many points there were.
        """
        whole = self._directory / "whole"
        run = self._run(whole, prepare, command, trace=True)
        assert run.done
        check(Place(whole / "telemetry"), whole, [])
        calls = calls_that_touch(whole, run.trace) & CHANGING

        def attempt(point: Point) -> bool:
            done = True
            for drained in (False, True):
                home = self._directory / f"{point}-{drained}".replace(" ", "-")
                tried = self._run(home, prepare, command, point=point)
                place = Place(home / "telemetry")
                sent = carried.drain(place) if drained else []
                self._run(home, None, then or command)
                try:
                    check(place, home, sent)
                except AssertionError as error:
                    error.add_note(f"killed at {point}, drained: {drained}: {tried.trace}")
                    raise
                done = tried.done
            return not done

        return kill_everywhere(calls, attempt)

    def _run(
        self,
        home: Path,
        prepare: Prepare | None,
        command: list[str],
        *,
        point: Point | None = None,
        trace: bool = False,
    ) -> Run:
        place = Place(home / "telemetry")
        if prepare:
            home.mkdir()
            prepare(place, home)
        words = [word.replace("HOME", str(home)) for word in command]
        environ = place.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
        return self._server.run("carry", environ, point=point, trace=trace, command=words)
