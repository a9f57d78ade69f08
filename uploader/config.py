"""The uploader's settings, resolved and checked."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from telemetry_spool import paths
from telemetry_spool.settings import (
    FLAGS,
    Resolved,
    Setting,
    SettingError,
    Source,
    boolean,
    environment,
    file,
    resolve_one,
    seconds,
    unknown_keys,
    whole_number,
)
from telemetry_spool.writer_settings import DIR, SPOOL_DIR, WRITER_SETTINGS


def _url(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError(raw)
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(raw)
    if parts.username is not None or any(character.isspace() for character in raw):
        raise ValueError(raw)
    return raw


ENDPOINT = Setting(
    "endpoint",
    "https://telemetry.flower.ai/api/v1/event",
    _url,
    "an http(s) URL without user name and password",
    "where events are sent",
    "the address that Flower itself sends to",
)
CONCURRENCY = Setting(
    "concurrency",
    4,
    whole_number(1, 64),
    "a whole number from 1 to 64",
    "requests under way at once",
    "4 hide most of a round trip and are still polite",
)
CONNECT_TIMEOUT = Setting(
    "connect_timeout",
    10.0,
    seconds(0.1, 600),
    "a number of seconds from 0.1 to 600",
    "seconds to wait for a connection",
    "longer than any working connection takes",
)
READ_TIMEOUT = Setting(
    "read_timeout",
    60.0,
    seconds(0.1, 3600),
    "a number of seconds from 0.1 to 3600",
    "seconds to wait for an answer",
    "what Flower waits",
)
RESCAN_INTERVAL = Setting(
    "rescan_interval",
    30.0,
    seconds(0.1, 3600),
    "a number of seconds from 0.1 to 3600",
    "seconds after which the spool is looked at without a sign from the file system",
    "finds what inotify does not report at a cost that nobody notices",
)
ALLOW_INSECURE = Setting(
    "allow_insecure",
    False,
    boolean,
    "true or false",
    "allow an http endpoint that is not on this machine",
    "events would cross the network in the clear",
)
KEEP_SENT = Setting(
    "keep_sent",
    False,
    boolean,
    "true or false",
    "keep the exact bytes of each sent event in its receipt",
    "a receipt without them is a third of the size",
)

UPLOADER_SETTINGS = (
    ENDPOINT,
    CONCURRENCY,
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    RESCAN_INTERVAL,
    ALLOW_INSECURE,
    KEEP_SENT,
)
ALL_SETTINGS = UPLOADER_SETTINGS + WRITER_SETTINGS
FLAG_SETTINGS = (*UPLOADER_SETTINGS, DIR, SPOOL_DIR)
"""What can be given on the uploader's command line: the limits of writers are not its business."""


@dataclass(frozen=True, slots=True)
class UploaderConfig:
    """What the uploader works with. Times are in seconds.

    `direct` forbids a proxy: the endpoint may be plain http only because it is on this machine.
    """

    directories: paths.Directories
    mode_file: Path | None
    endpoint: str
    direct: bool
    concurrency: int
    connect_timeout: float
    read_timeout: float
    rescan_interval: float
    keep_sent: bool


def resolve(flags: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, Resolved]:
    """Resolve every setting, with its origin. Raises SettingError for anything that is wrong."""
    sources = [Source(FLAGS, flags), environment(ALL_SETTINGS, environ)]
    for path in paths.config_files():
        source = file(path)
        for name in unknown_keys(source, ALL_SETTINGS):
            raise SettingError(f"{path}: unknown setting {name!r}{_suggestion(name)}")
        sources.append(source)
    return {setting.name: resolve_one(setting, sources) for setting in ALL_SETTINGS}


def _suggestion(name: str) -> str:
    close = difflib.get_close_matches(name, [setting.name for setting in ALL_SETTINGS], n=1)
    return f": did you mean {close[0]!r}?" if close else "; telemetry-uploader check lists them"


def load(flags: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> UploaderConfig:
    """Return the effective configuration. Raises SettingError for anything that is wrong."""
    return build(resolve(flags, environ))


def build(resolved: Mapping[str, Resolved]) -> UploaderConfig:
    """Put resolved settings together. Raises SettingError if they do not go together."""

    def value(setting: Setting) -> Any:
        return resolved[setting.name].value

    endpoint = value(ENDPOINT)
    in_the_clear = urlsplit(endpoint).scheme == "http" and not value(ALLOW_INSECURE)
    if in_the_clear and not _is_loopback(endpoint):
        raise SettingError(
            f"endpoint = {endpoint!r} ({resolved['endpoint'].origin}): events would cross the "
            "network in the clear; use https, or set allow_insecure = true"
        )
    root = value(DIR) or paths.default_root()
    if root is None:
        raise SettingError("no home directory to keep the spool in: set FLWR_TELEMETRY_DIR")
    return UploaderConfig(
        directories=paths.Directories(root, value(SPOOL_DIR) or root / "spool"),
        mode_file=paths.mode_file(),
        endpoint=endpoint,
        direct=in_the_clear,
        concurrency=value(CONCURRENCY),
        connect_timeout=value(CONNECT_TIMEOUT),
        read_timeout=value(READ_TIMEOUT),
        rescan_interval=value(RESCAN_INTERVAL),
        keep_sent=value(KEEP_SENT),
    )


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
