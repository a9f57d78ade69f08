"""Log shippers in their best configuration: the files are in benchmarks/peers."""

from __future__ import annotations

import os
import shutil

from benchmarks.drain.debian import Tree
from benchmarks.drain.processes import Command
from benchmarks.drain.programs import (
    CONTRIB,
    FLUENT_BIT,
    OTELCOL,
    PROGRAMS,
    RSYSLOG,
    SYSLOG_NG,
    VECTOR,
    Program,
)
from benchmarks.drain.sinks import REPOSITORY, Endpoint
from benchmarks.drain.subjects import PLAIN_ANSWER, Job, Kind, Subject
from tests.support.network import network_variables

CONFIGURATIONS = REPOSITORY / "benchmarks" / "peers"

# What omelasticsearch takes for success, with and without its bulk mode.
_BULK = Endpoint(bodies="bulk", answer='{"errors": false, "items": []}')
_NO_STATUS = Endpoint(answer="{}")
_WRAPPED = Endpoint(bodies="log")
_EMBEDDED = Endpoint(bodies="embedded", answer="")


class Peers:
    """The peers of this machine: Debian's from `tree`, else what is on PATH."""

    def __init__(self, tree: Tree | None, why_no_tree: str) -> None:
        self._tree = tree
        self._why_no_tree = why_no_tree

    def batch(self) -> list[Subject]:
        """Return what sends one request per MiB."""
        return [
            self._peer(SYSLOG_NG, "batch", "syslog-ng-batch.conf"),
            self._peer(SYSLOG_NG, "batch, gzip", "syslog-ng-batch-gzip.conf", compressed=True),
            self._peer(RSYSLOG, "batch", "rsyslog-batch.conf", _BULK),
            self._peer(FLUENT_BIT, "no parsing", "fluent-bit-batch.yaml", _WRAPPED),
            self._peer(
                FLUENT_BIT, "no parsing, gzip", "fluent-bit-batch-gzip.yaml", _WRAPPED, True
            ),
            self._peer(VECTOR, "batch", "vector-batch.toml"),
            self._peer(VECTOR, "batch, zstd", "vector-batch-zstd.toml", compressed=True),
            self._peer(self._collector(), "otlp", "otelcol.yaml", _EMBEDDED),
            self._peer(self._collector(), "otlp, gzip", "otelcol-gzip.yaml", _EMBEDDED, True),
        ]

    def single(self) -> list[Subject]:
        """Return what sends one request per event."""
        return [
            self._peer(SYSLOG_NG, "8 workers", "syslog-ng-single.conf"),
            self._peer(RSYSLOG, "8 workers", "rsyslog-single.conf", _NO_STATUS),
            self._peer(FLUENT_BIT, "body_key", "fluent-bit-single.yaml"),
            self._peer(VECTOR, "8 at once", "vector-single.toml"),
        ]

    def installed(self) -> dict[Program, list[str]]:
        """Return the programs that are there and how each is started."""
        return {program: argv for program in PROGRAMS if (argv := program.argv(self._tree))}

    def _collector(self) -> Program:
        return CONTRIB if shutil.which(CONTRIB.name) else OTELCOL

    def _peer(
        self,
        program: Program,
        title: str,
        config: str,
        endpoint: Endpoint = PLAIN_ANSWER,
        compressed: bool = False,
    ) -> Subject:
        argv = program.argv(self._tree)
        modules = self._tree.modules(program.name) if self._tree and program.from_debian else ""

        def prepare(job: Job) -> Command:
            written = job.directory / config
            places = {
                "@CONFIG@": str(written),
                "@DIRECTORY@": str(job.directory),
                "@INPUT@": str(job.source.path),
                "@URL@": job.url,
                "@PORT@": str(job.port),
                "@MODULES@": modules,
            }
            written.write_text(_filled((CONFIGURATIONS / config).read_text(), places))
            arguments = [_filled(each, places) for each in program.arguments]
            extra = _module_path(program, modules)
            # libcurl would go to the endpoint on loopback through this machine's proxy.
            hidden = network_variables()
            environ = {name: os.environ[name] for name in os.environ if name not in hidden}
            return Command([*argv, *extra, *arguments], environ, stays=True)

        return Subject(
            name=f"{program.title}, {title}",
            kind=Kind.PEER,
            prepare=prepare,
            compressed=compressed,
            endpoint=endpoint,
            config=config,
            missing="" if argv else self._how_to_get(program),
            untested=not program.from_debian,
        )

    def _how_to_get(self, program: Program) -> str:
        if program.from_debian:
            return f"no {program.name}: {self._why_no_tree}"
        return f"no {program.name} on PATH: used if its maker's package is installed"


def _module_path(program: Program, modules: str) -> list[str]:
    if not modules:
        return []
    return [f"--module-path={modules}"] if program is SYSLOG_NG else ["-M", modules]


def _filled(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(name, value)
    return text
