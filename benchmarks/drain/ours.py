"""Our uploader in the configurations that are measured."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.drain.processes import Command
from benchmarks.drain.sinks import REPOSITORY
from benchmarks.drain.subjects import Job, Kind, Subject
from tests.support.network import network_variables

FAST_PYTHON = Path(sys.executable)
"""This one, which `make bench` gives the extra."""

PLAIN_PYTHON = REPOSITORY / ".cache" / "bench-plain-venv" / "bin" / "python"
"""An interpreter that has this package without its extra [fast]."""

FAST = ("pycurl", "isal", "zstandard")
_UNWANTED = ("FLWR_", "DO_NOT_TRACK", "PYTHONDONTWRITEBYTECODE", "XDG_")


def environment(root: Path, url: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an uploader with this root and nothing of this machine's."""
    hidden = network_variables()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in hidden and not name.startswith(_UNWANTED)
    }
    return kept | {
        "HOME": str(root),
        "FLWR_TELEMETRY_DIR": str(root),
        "FLWR_TELEMETRY_ENDPOINT": url,
        "FLWR_TELEMETRY_MAX_SPOOL_BYTES": "64GiB",
        **{f"FLWR_TELEMETRY_{name.upper()}": value for name, value in settings.items()},
    }


def uploader(python: Path, *arguments: str) -> list[str]:
    """Return the command line of the uploader that is installed beside an interpreter."""
    return [str(python.with_name("telemetry-uploader")), *arguments]


def ours(
    title: str,
    settings: Mapping[str, str],
    *,
    python: Path = FAST_PYTHON,
    needs: Sequence[str] = FAST,
    share: float = 1.0,
) -> Subject:
    """Return our uploader with these settings, drained by `once`; `needs` names modules."""

    def prepare(job: Job) -> Command:
        job.source.spool(job.directory)
        environ = environment(job.directory, job.url, settings)
        return Command(uploader(python, "once"), environ)

    return Subject(
        name=f"telemetry-uploader, {title}",
        kind=Kind.OURS,
        prepare=prepare,
        compressed=settings.get("compression", "none") != "none",
        share=share,
        config=" ".join(f"{name}={value}" for name, value in settings.items()),
        missing=_missing(python, needs),
    )


def _missing(python: Path, needs: Sequence[str]) -> str:
    if not python.with_name("telemetry-uploader").exists():
        return "no environment with this package in it: `make bench` makes one"
    if absent := [name for name in needs if not importlib.util.find_spec(name)]:
        return f"{', '.join(absent)} not installed: the extra [fast] has them"
    return ""


def batch_subjects() -> list[Subject]:
    """Return what sends one request per MiB."""
    ndjson = {"sink": "ndjson"}
    return [
        ours("[fast]", ndjson | {"compression": "none"}),
        ours("[fast], zstd", ndjson | {"compression": "zstd"}),
        ours("[fast], gzip", ndjson | {"compression": "gzip"}),
        ours("without [fast]", ndjson | {"compression": "none"}, python=PLAIN_PYTHON, needs=()),
        ours(
            "without [fast], gzip", ndjson | {"compression": "gzip"}, python=PLAIN_PYTHON, needs=()
        ),
    ]


def single_subjects() -> list[Subject]:
    """Return what sends one request per event."""
    curl, plain = {"transport": "pycurl"}, {"transport": "requests"}
    return [
        ours("[fast], 64 at once", curl | {"concurrency": "64"}),
        ours("[fast], 32 at once", curl | {"concurrency": "32"}),
        ours("[fast], 4 at once", curl | {"concurrency": "4"}),
        ours(
            "without [fast], 4 at once",
            plain | {"concurrency": "4"},
            python=PLAIN_PYTHON,
            needs=(),
            share=0.1,
        ),
    ]
