"""Measure this project side by side with others in one run.

    python -m benchmarks [--quick] [--only batch] [--markdown docs/performance.md] [--json FILE]

All of it takes some 30 minutes, `--quick` a few. It needs Linux; it uses a few GB below the
directory for temporary files, and nothing outside of that and of `.cache`.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.arguments import count
from benchmarks.drain.backlog import backlog
from benchmarks.drain.debian import RELEASE, NotProvisioned, provisioned
from benchmarks.drain.delivery import batch, single
from benchmarks.drain.freshness import freshness
from benchmarks.drain.latency import latency
from benchmarks.drain.machine import machine
from benchmarks.drain.others import reported
from benchmarks.drain.peers import Peers
from benchmarks.drain.report import Report, as_json, markdown
from benchmarks.drain.sinks import REPOSITORY
from benchmarks.drain.source import EVENT_BYTES
from benchmarks.drain.tables import Table, Text
from benchmarks.drain.turns import progress

BATCH_EVENTS, QUICK_BATCH_EVENTS = 1_000_000, 20_000
SINGLE_EVENTS, QUICK_SINGLE_EVENTS = 200_000, 5_000
ROUND_TRIPS, QUICK_ROUND_TRIPS = 320, 40
FRESH_EVENTS, QUICK_FRESH_EVENTS = 400, 60
SEGMENTS, QUICK_SEGMENTS = (10, 1_000, 10_000), (10, 300)

Group = Callable[[], list[Table] | list[Text]]


def groups(options: argparse.Namespace, peers: Peers, scratch: Path) -> Mapping[str, Group]:
    """Return what measures each group, in the order of the report."""
    quick: bool = options.quick
    many = options.events or (QUICK_BATCH_EVENTS if quick else BATCH_EVENTS)
    fewer = options.events or (QUICK_SINGLE_EVENTS if quick else SINGLE_EVENTS)
    round_trips = QUICK_ROUND_TRIPS if quick else ROUND_TRIPS
    fresh = QUICK_FRESH_EVENTS if quick else FRESH_EVENTS
    segments = QUICK_SEGMENTS if quick else SEGMENTS
    rounds: int = options.rounds
    return {
        "batch": lambda: batch(peers, many, rounds, scratch),
        "single": lambda: single(peers, fewer, rounds, scratch),
        "latency": lambda: latency(round_trips, options.events, scratch),
        "fresh": lambda: freshness(peers, fresh, scratch),
        "backlog": lambda: backlog(segments, scratch),
        "append": lambda: reported("Recording an event", "append"),
        "flower": lambda: reported("A process of Flower's", "flower_process"),
    }


NAMES = ("batch", "single", "latency", "fresh", "backlog", "append", "flower")
QUICK = NAMES[:5]
"""The others take minutes: `--only` chooses them."""


def main() -> None:
    """Measure, and write the report."""
    options = _options()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        peers = _peers()
        chosen = groups(options, peers, Path(scratch))
        parts: list[Table | Text] = []
        for name in NAMES:
            if name in (options.only or (QUICK if options.quick else NAMES)):
                parts += chosen[name]()
        report = Report(
            command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
            rounds="1 round" if options.rounds == 1 else f"{options.rounds} rounds",
            minutes=(time.monotonic() - began) / 60,
            machine=list(machine(peers)),
            event_bytes=EVENT_BYTES,
            release=RELEASE,
            parts=parts,
        )
    if options.json:
        options.json.write_text(as_json(report), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(markdown(report), encoding="utf-8")
    if not (options.json or options.markdown):
        sys.stdout.write(markdown(report))


def _peers() -> Peers:
    try:
        return Peers(provisioned(REPOSITORY / ".cache"), "")
    except NotProvisioned as why:
        progress(f"no peers from Debian: {why}")
        return Peers(None, str(why))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=count, help="of the groups batch, single and latency")
    parser.add_argument("--rounds", type=count, default=3, help="of the groups batch and single")
    parser.add_argument("--quick", action="store_true", help="far fewer events; figures are rough")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="GROUP")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
