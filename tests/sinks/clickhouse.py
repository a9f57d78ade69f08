"""A ClickHouse server on loopback, as a plain process with its data in a scratch directory."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sinks.loopback import answers, direct, free_port
from tests.sinks.page import recipe
from tests.support.processes import DEADLINE_SECONDS, poll

RECIPE = recipe("Debian's ClickHouse")
ADDRESS = "http://127.0.0.1:8123"

_CONFIG = """\
<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>{port}</http_port>
  <path>{root}/data/</path>
  <tmp_path>{root}/data/tmp/</tmp_path>
  <mark_cache_size>16777216</mark_cache_size>
  <users_config>{root}/users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
</yandex>
"""

_USERS = """\
<yandex>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </default>
  </users>
</yandex>
"""


def program() -> str | None:
    """Return the path of the server; None where there is none."""
    return shutil.which("clickhouse-server", path=f"{os.environ['PATH']}:/usr/sbin")


@dataclass(frozen=True, slots=True)
class ClickHouse:
    """A running server."""

    url: str

    def query(self, sql: str) -> list[list[str]]:
        """Run a statement as the user `default`; return its rows, as they are in TabSeparated."""
        with direct() as session:
            answer = session.post(self.url, data=sql.encode(), timeout=DEADLINE_SECONDS)
        assert answer.ok, answer.text
        return [line.split("\t") for line in answer.text.splitlines()]

    def stored(self) -> dict[str, bytes]:
        """Return the line of each id in the page's table, duplicates dropped."""
        rows = self.query("SELECT id, hex(line) FROM flower_events FINAL")
        return {key: bytes.fromhex(line) for key, line in rows}

    def is_debians(self) -> bool:
        """Tell whether it is the version of Debian 12."""
        return self.query("SELECT version()")[0][0].startswith("18.")


@contextmanager
def clickhouse(root: Path, server: str, users: str) -> Iterator[ClickHouse]:
    """Run the server for as long as the block lasts; `users` is a file for its `users.d`."""
    port = free_port()
    (root / "data" / "tmp").mkdir(parents=True)
    (root / "users.d").mkdir()
    (root / "config.xml").write_text(_CONFIG.format(port=port, root=root), "utf-8")
    (root / "users.xml").write_text(_USERS, "utf-8")
    (root / "users.d" / "flower.xml").write_text(users, "utf-8")
    with (
        (root / "log").open("wb") as log,
        subprocess.Popen(
            [server, f"--config-file={root}/config.xml"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        started = ClickHouse(f"http://127.0.0.1:{port}")
        try:
            poll(lambda: answers(started.url) or process.poll() is not None, "ClickHouse to answer")
            assert process.poll() is None, (root / "log").read_text("utf-8", "replace")
            yield started
        finally:
            process.kill()
