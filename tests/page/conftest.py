"""A browser for the tests of a file, and a site with something of everything, hostile text too."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telemetry_spool.heartbeat import Heartbeat, write
from telemetry_spool.ledger import receipts_journal
from telemetry_spool.letters import dead_letter, dead_letter_journal
from telemetry_spool.paths import Directories
from tests.conftest import Place
from tests.e2e.conftest import Site
from tests.page.chromium import Browser, Tab, chromium, program

NOW = datetime.now(tz=UTC)
ENDPOINT = "https://endpoint.invalid/api/v1/event"

RUN = "window.hacked = true"
HOSTILE = {
    "script": f"<script>{RUN}</script></script><img src=x onerror='{RUN}'>",
    "ends": f"</pre></details></style></title>--><script>{RUN}</script>",
    "attribute": f"\"' onfocus={RUN} autofocus x='",
    "link": "<meta http-equiv=refresh content='0;url=https://example.invalid/'>",
}
"""Text that would run, or end the page, if any of it were taken for HTML."""

UNSEEN = {"bidi": "a\u202eb\u2066c", "lines": "\u2028\u2029", "nothing": "\u200b\ufeff"}
"""Text that would hide or move what stands around it; not escaped by who wrote it."""


def event(event_type: str, details: object, when: datetime = NOW, *, ascii_: bool = True) -> bytes:
    """Return an event as Flower makes them."""
    context = {
        "date": when.isoformat(),
        "flower": {"package_name": "flwr", "package_version": "1.41.0"},
        "hw": {"cpu_count": 8},
    }
    made = {"event_type": event_type, "event_details": details, "context": context}
    return json.dumps(made, ensure_ascii=ascii_).encode("utf-8", "surrogatepass")


def fill(site: Site) -> None:
    """Put a few events into each state, hostile ones among them, and an uploader that waits."""
    directories = Directories(site.place.root, site.place.spool)
    hour = timedelta(hours=1)
    site.record([event(f"PENDING_{n}", {"n": n}, NOW - n * hour) for n in range(8)])
    site.record([event(text, HOSTILE) for text in HOSTILE.values()])
    site.record([event("UNSEEN", UNSEEN, ascii_=False), event("LONE", {"half": "\ud800"})])
    site.record([event("LONG", {"word": "W" * 60_000})])
    deep = event("DEEP", 0).replace(b'"event_details": 0', b'"event_details": ' + b"[" * 300)
    site.record([deep[:-1].replace(b"[" * 300, b"[" * 300 + b"]" * 300) + b"}"])
    site.record([event("KEPT", {"n": n}) for n in range(2)], local=True)
    sent = [
        {
            "id": f"{n:064x}",
            "event_type": "SENT",
            "date": (NOW - n * hour).isoformat(),
            "sent_at": (NOW - n * hour).isoformat(),
            "endpoint": ENDPOINT,
        }
        for n in range(5)
    ]
    receipts = receipts_journal(directories)
    receipts.append(sent, NOW)
    receipts.append([{"lost": 3, "reason": HOSTILE["script"], "lost_at": NOW.isoformat()}], NOW)
    letters = dead_letter_journal(directories)
    for body in (event("REFUSED", HOSTILE), b'{"half\xff'):
        refused = dead_letter(body, HOSTILE["ends"], NOW, status=422, response=HOSTILE["script"])
        letters.append([refused], NOW)
    write(
        directories.status,
        Heartbeat(
            pid=os.getpid(),
            host=os.uname().nodename,
            version="0.1.0",
            started=NOW.timestamp(),
            updated_at=NOW.isoformat(),
            endpoint=ENDPOINT,
            activity="waiting",
            reason=HOSTILE["attribute"],
            remedy="",
            next_attempt_at=(NOW + hour).isoformat(),
            accepted=5,
            rejected=2,
            last_accepted_at=NOW.isoformat(),
        ),
    )


def new_site(root: Path) -> Site:
    """Return a site whose commands find no settings and no choice of this machine."""
    site = Site(Place(root / "telemetry"), ENDPOINT)
    site.environ |= {"HOME": str(root), "XDG_CONFIG_HOME": str(root / "config")}
    return site


def page_of(site: Site, file: Path) -> Path:
    """Write the page of a site and return its file."""
    done = site.telemetry_spool("view", "--no-open", "--output", str(file))
    assert (done.code, done.stderr) == (0, "")
    return file


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a site with something of everything."""
    root = tmp_path_factory.mktemp("rich")
    site = new_site(root)
    fill(site)
    return page_of(site, root / "rich.html")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a site on which nothing has happened."""
    root = tmp_path_factory.mktemp("empty")
    return page_of(new_site(root), root / "empty.html")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a running browser; skip where there is none."""
    if program() is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """Return an empty tab."""
    opened = browser.tab()
    yield opened
    opened.close()
