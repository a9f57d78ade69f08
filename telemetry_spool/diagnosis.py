"""What is wrong with telemetry on this machine, and what a person can do about it."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from telemetry_spool import heartbeat, paths
from telemetry_spool.consent import ConsentReader, Mode
from telemetry_spool.dropbox import is_served, is_shared
from telemetry_spool.environments import Environment, environment_at, this_environment
from telemetry_spool.inotify import inotify_problem
from telemetry_spool.paths import Directories
from telemetry_spool.writer_settings import WriterConfig

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
# A spool of the usual size and then some: below this, events will soon be lost.
_FREE_BYTES = 128 * 2**20
_FREE_INODES = 1000
# No writer takes this long: what it left is no longer being written.
_ABANDONED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `remedy` is empty where nothing is wrong."""

    name: str
    finding: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return not self.remedy


def diagnose(
    config: WriterConfig, pythons: tuple[Path, ...], environ: Mapping[str, str] = os.environ
) -> Iterator[Check]:
    """Look at everything that can be seen without a network."""
    consent = ConsentReader(config.mode_file).now()
    yield Check("consent", f"{consent.mode.value} ({consent.rule})")
    yield from _settings(config)
    yield hook(this_environment(), environ, consent.mode)
    for path in pythons:
        yield _hook_at(path, environ, consent.mode)
    yield from _spool(config.directories)
    yield from _watching(config.directories)
    yield _uploader(config.directories, consent.mode)
    yield from _network(environ)


def _settings(config: WriterConfig) -> Iterator[Check]:
    if not config.problems:
        yield Check("settings", "what concerns recording is fine")
    for problem in config.problems:
        yield Check("settings", problem, "correct it: until then its default is used")


def _hook_at(path: Path, environ: Mapping[str, str], mode: Mode) -> Check:
    try:
        found = environment_at(path)
    except OSError as error:
        return Check("hook", f"{path} cannot be read: {error.strerror}", "ask its owner")
    if found is None:
        return Check("hook", f"{path} is no Python environment", "give the path of an interpreter")
    return hook(found, environ, mode)


def hook(found: Environment, environ: Mapping[str, str], mode: Mode) -> Check:
    """Tell whether Flower's events of an environment are spooled in this mode."""
    if not found.flower:
        return Check("hook", f"no Flower in {found.place}")
    where = f"{', '.join(found.flower)} in {found.place}"
    if environ.get("FLWR_TELEMETRY_SPOOL") == "0":
        return Check(
            "hook",
            f"{where} is left as it is: FLWR_TELEMETRY_SPOOL=0",
            "unset it for Flower's events to be spooled",
        )
    if not found.hooked:
        return Check(
            "hook",
            f"{where} is not spooled: the start-up file is not there",
            "install flwr-telemetry-spool with the pip of that environment",
        )
    if found.misfits:
        return Check(
            "hook",
            f"{where} is not spooled: {'; '.join(found.misfits)}",
            "update flwr-telemetry-spool; until then Flower sends by itself, as far as it may",
        )
    if mode is Mode.OFF:
        return Check("hook", f"{where}: not recorded, the mode is off")
    return Check("hook", f"{where}: spooled")


def _spool(directories: Directories) -> Iterator[Check]:
    spool = directories.spool
    try:
        status = spool.stat()
    except FileNotFoundError:
        yield _creatable(spool)
        return
    except OSError as error:
        yield Check("spool", f"{spool}: {error.strerror}", "make it a directory of yours")
        return
    if not stat.S_ISDIR(status.st_mode):
        yield Check("spool", f"{spool} is no directory", "move it out of the way")
        return
    if not os.access(spool, os.W_OK | os.X_OK):
        yield Check("spool", f"{spool} cannot be written", f"chmod u+rwx {spool}")
        return
    if is_served(str(spool)):
        yield Check("spool", f"{spool}: the drop box of this machine")
    elif is_shared(str(spool)):
        yield Check("spool", f"{spool}: others may write there, too")
    elif status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Check("spool", f"{spool} can be read by others", f"chmod 700 {spool}")
    else:
        yield Check("spool", str(spool))
    yield from _room(spool)
    yield from _leftovers(spool)


def _creatable(spool: Path) -> Check:
    """Tell of a spool that is not there yet whether the first event can make it."""
    parent = next(parent for parent in spool.parents if parent.exists())
    if os.access(parent, os.W_OK | os.X_OK) and parent.is_dir():
        return Check("spool", f"{spool} is not there yet: the first event makes it")
    return Check(
        "spool",
        f"{spool} cannot be made in {parent}",
        "make it writable, or set FLWR_TELEMETRY_DIR to another directory",
    )


def _room(spool: Path) -> Iterator[Check]:
    free = shutil.disk_usage(spool).free
    inodes = os.statvfs(spool)
    finding = f"{free // 2**20:,} MiB free"
    if free < _FREE_BYTES:
        yield Check("disk", finding, "make room: on a full disk events are lost")
    elif inodes.f_files and inodes.f_favail < _FREE_INODES:
        yield Check(
            "disk", f"{inodes.f_favail:,} files can be made", "delete files: inodes run out"
        )
    else:
        yield Check("disk", finding)


def _leftovers(spool: Path) -> Iterator[Check]:
    try:
        with os.scandir(spool) as found:
            now = time.time()
            old = [
                entry.name
                for entry in found
                if paths.is_temporary(entry.name)
                and now - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_SECONDS
            ]
    except OSError:
        return  # a drop box shows nobody what is in it
    if old:
        yield Check(
            "leftovers",
            f"{len(old)} left by a crash, {old[0]} for one",
            "telemetry-uploader once deletes them",
        )


def _watching(directories: Directories) -> Iterator[Check]:
    if not directories.spool.is_dir():
        return
    problem = inotify_problem(str(directories.spool))
    if problem is not None:
        yield Check(
            "watching",
            f"inotify: {problem}",
            "raise fs.inotify.max_user_instances or max_user_watches; until then the uploader "
            "looks now and then",
        )
    else:
        yield Check("watching", "the system tells of changes in the spool")


def _uploader(directories: Directories, mode: Mode) -> Check:
    last = heartbeat.read(directories.heard_of)
    alive = heartbeat.is_alive(last) if last else False
    if last is not None and heartbeat.ran_lately(last):
        why = f": {last.reason}" if last.reason else ""
        return Check("uploader", f"a single run ended at {last.updated_at}{why}", last.remedy)
    if last is None or alive is False:
        finding = "none runs" if last is None else f"none runs since {last.updated_at}"
        return Check("uploader", finding, _start(mode))
    doing = ": ".join(filter(None, (last.activity, last.reason)))
    return Check("uploader", f"pid {last.pid} on {last.host}, {doing}", last.remedy)


def _start(mode: Mode) -> str:
    return "telemetry-uploader run, once or install" if mode is Mode.ON else ""


def _network(environ: Mapping[str, str]) -> Iterator[Check]:
    """Look at what the environment says of proxies and certificates, without using it."""
    for name in _PROXIES:
        for variable in (name, name.lower()):
            text = environ.get(variable)
            if text and not _is_proxy(text):
                yield Check("network", f"{variable} is no URL of a proxy", f"correct {variable}")
    for variable in _CERTIFICATES:
        text = environ.get(variable)
        if text and not os.access(text, os.R_OK):
            yield Check(
                "network", f"{variable}: {text} cannot be read", f"correct or unset {variable}"
            )


def _is_proxy(text: str) -> bool:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
