"""Across an air gap: the page's own commands, and real writers and uploaders meanwhile."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry_spool.segment import event_id
from tests.conftest import Place
from tests.e2e.conftest import Collected, Site, bodies, collecting, ids, line, lines
from tests.support import carried
from tests.support.endpoint import CREATED, Answer, Endpoint, Request
from tests.support.environments import REPOSITORY
from tests.support.processes import DEADLINE_SECONDS, Ended, environment, poll

PAGE = (REPOSITORY / "docs" / "air-gap.md").read_text(encoding="utf-8")
STICK = "/media/stick"


def typed() -> Iterator[tuple[str, str]]:
    """Yield each command that the page shows, with the words that stand before its block."""
    for before, block in re.findall(r"(.*?)```sh\n(.*?)```", PAGE, re.DOTALL):
        for command in block.splitlines():
            yield before, command


class Gap:
    """Two machines that share nothing but a stick."""

    def __init__(self, directory: Path, endpoint: str) -> None:
        self.stick = directory / "stick"
        self.stick.mkdir()
        self.offline = Site(Place(directory / "offline"), "http://127.0.0.1:9/")
        self.connected = Site(Place(directory / "connected"), endpoint)

    def type(self, site: Site, command: str) -> Ended:
        """Run a line of a shell on one of the machines; it ends well and complains of nothing."""
        beside_python = str(Path(sys.executable).parent)
        done = subprocess.run(
            ["bash", "-c", command.replace(STICK, str(self.stick))],
            env=environment(site.environ) | {"PATH": f"{beside_python}:/usr/bin:/bin"},
            cwd=self.stick,
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        complaints = [text for text in done.stderr.splitlines() if "telemetry-spool:" in text]
        assert (done.returncode, complaints) == (0, []), (command, done.stderr)
        return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def collected(tmp_path: Path) -> Iterator[tuple[str, Collected]]:
    """Run a collector on the connected machine's side."""
    with collecting(tmp_path / "collector.db") as started:
        yield started


def test_the_walk_on_the_page(tmp_path: Path, collected: tuple[str, Collected]) -> None:
    """Every event arrives once; what is lost in the middle of the page is written again."""
    url, collector = collected
    gap = Gap(tmp_path, url)
    events = lines(range(5))
    gap.offline.record(events)
    shown = []

    for before, command in typed():
        words = before.rsplit("\n#", 1)[-1]
        if "--bundle 2026" in command:  # the lost stick: another bundle, which never arrives
            gap.offline.record(lines(range(5, 8)))
            gap.type(gap.offline, f"telemetry-spool export {STICK}/lost.tar.gz")
        where = gap.connected if "On the connected machine" in words[-120:] else gap.offline
        shown.append((command, gap.type(where, command.replace("2026", "2")).stdout))

    assert len(shown) == 12
    assert collector.keys() == ids(events)
    assert set(collector.deliveries().values()) == {1}
    assert gap.offline.receipts() == ids(events)
    first, last = (said for command, said in shown if command.endswith("--list"))
    assert "5 of 5 events" in first
    assert last == ""
    assert carried.in_bundle(gap.stick / "monday-again.tar.gz") == lines(range(5, 8))
    assert carried.to_send(gap.offline.place) == lines(range(5, 8))
    assert (gap.stick / "events.csv").read_text().count("CLIENTAPP_ENTER") == 3


def test_the_page_tells_the_formats(tmp_path: Path, collected: tuple[str, Collected]) -> None:
    """Every field of the manifest and of receipts is on the page."""
    gap = Gap(tmp_path, collected[0])
    gap.offline.record([line(0)])
    bundle, receipts = gap.stick / "x.tar.gz", gap.stick / "x.receipts.jsonl.gz"
    gap.type(gap.offline, f"telemetry-spool export {bundle}")
    gap.type(gap.connected, f"telemetry-spool import {bundle}")
    gap.type(gap.connected, "telemetry-uploader once")
    gap.type(gap.connected, f"telemetry-spool export --receipts {receipts}")

    manifest = carried.manifest_of(bundle)
    (answer,) = carried.answers_in(receipts)

    for name in (*manifest, *manifest["segments"][0], *answer):
        assert f'"{name}":' in PAGE, name


def test_rejected_events_come_back_as_dead_letters(tmp_path: Path, endpoint: Endpoint) -> None:
    """With what the endpoint said, and the bundle that carried them."""

    def answer(request: Request) -> Answer:
        return Answer(status=400, body=b'{"no": 1}') if b'"number": 1,' in request.body else CREATED

    endpoint.answer = answer
    gap = Gap(tmp_path, endpoint.url)
    gap.offline.record(lines(range(3)))
    gap.type(gap.offline, f"telemetry-spool export {STICK}/x.tar.gz")
    gap.type(gap.connected, f"telemetry-spool import {STICK}/x.tar.gz && telemetry-uploader once")
    gap.type(gap.connected, f"telemetry-spool export --receipts {STICK}/x.receipts.jsonl.gz")

    said = gap.type(gap.offline, f"telemetry-spool import {STICK}/x.receipts.jsonl.gz").stdout

    assert said == "Accepted: 2 events. Rejected: 1.\n"
    (letter,) = gap.offline.rejected()
    bundle = carried.manifest_of(gap.stick / "x.tar.gz")["bundle"]
    assert (letter["status"], letter["response"], letter["bundle"]) == (400, '{"no": 1}', bundle)
    assert letter["event"]["event_details"]["number"] == 1
    assert carried.exported(gap.offline.place) == []


WRITER = """
import sys
from telemetry_spool import Spool
from tests.e2e.conftest import line
spool = Spool()
for number in range(int(sys.argv[1]), int(sys.argv[2])):
    spool.append(line(number))
"""


def test_writers_and_an_uploader_go_on_meanwhile(site: Site, endpoint: Endpoint) -> None:
    """Each event is either sent from here or in one of the bundles: in one place, once."""
    site.set(max_segment_bytes="8KiB")
    each = 400
    files: list[Path] = []
    with site.daemon() as daemon:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(first), str(first + each)],
                env=environment(site.environ),
                cwd=REPOSITORY,
            )
            for first in range(0, 4 * each, each)
        ]
        while any(writer.poll() is None for writer in writers) or len(files) < 3:
            file = site.place.root.parent / f"{len(files)}.tar.gz"
            assert site.telemetry_spool("export", str(file)).code == 0
            files.append(file)
        assert [writer.wait() for writer in writers] == [0] * 4
        poll(lambda: site.place.names() == ["uploader.lock"], "an empty spool")
        assert daemon.stop() == 0

    exported = [one for file in files if file.exists() for one in carried.in_bundle(file)]
    print(f"{len(bodies(endpoint))} events sent from here, {len(exported)} exported")  # noqa: T201
    assert bodies(endpoint) + Counter(exported) == Counter(lines(range(4 * each)))
    assert Counter(carried.exported(site.place)) == Counter(exported)
    assert site.receipts() == Counter(map(event_id, bodies(endpoint)))
