"""The uploader's settings, resolved and checked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from telemetry_spool import paths, policy
from telemetry_spool.dropbox import default_spool
from telemetry_spool.settings import (
    FLAGS,
    Resolved,
    Setting,
    SettingError,
    Source,
    absolute_path,
    boolean,
    environment,
    file,
    resolve_one,
    seconds,
    unknown_keys,
    whole_number,
)
from telemetry_spool.writer_settings import DIR, MAX_SPOOL_BYTES, SPOOL_DIR, WRITER_SETTINGS
from uploader.addresses import endpoint_url, is_loopback, proxy_url

ENDPOINT = Setting(
    "endpoint",
    "https://telemetry.flower.ai/api/v1/event",
    endpoint_url,
    "an http(s) URL without user name and password",
    "where events are sent",
    "the address that Flower itself sends to",
)
PROXY = Setting(
    "proxy",
    None,
    proxy_url,
    "a URL like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with signs in the password as "
    "%XX",
    "the proxy to the endpoint, whatever HTTPS_PROXY and NO_PROXY say; a password in it is never "
    "shown",
    "the proxy variables of the environment decide",
    secret=True,
)
CA_BUNDLE = Setting(
    "ca_bundle",
    None,
    absolute_path,
    "an absolute path",
    "file or directory with the certificates of the authorities to trust, whatever "
    "REQUESTS_CA_BUNDLE says",
    "the authorities that `requests` trusts",
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
POLL_INTERVAL = Setting(
    "poll_interval",
    5.0,
    seconds(0.1, 3600),
    "a number of seconds from 0.1 to 3600",
    "seconds after which the spool is looked at where the file system does not report changes: "
    "NFS, Lustre, FUSE and the like, or when inotify has no watches left",
    "soon enough for people, at a cost that nobody notices",
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
STRICT = Setting(
    "strict",
    False,
    boolean,
    "true or false",
    "set events aside in which `telemetry-spool audit` finds something personal or undocumented",
    "what Flower itself sends passes anyway; a newer Flower's or your own program's events may not",
)

UPLOADER_SETTINGS = (
    ENDPOINT,
    PROXY,
    CA_BUNDLE,
    CONCURRENCY,
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    RESCAN_INTERVAL,
    POLL_INTERVAL,
    ALLOW_INSECURE,
    KEEP_SENT,
    STRICT,
)
ALL_SETTINGS = UPLOADER_SETTINGS + WRITER_SETTINGS
FLAG_SETTINGS = (*UPLOADER_SETTINGS, DIR, SPOOL_DIR)
"""What can be given on the uploader's command line: the limits of writers are not its business."""


@dataclass(frozen=True, slots=True)
class UploaderConfig:
    """What the uploader works with. Times are in seconds.

    `direct` forbids a proxy: the endpoint may be plain http only because it is on this machine.
    `max_spool_bytes` is what each owner of events may have in a shared spool.
    `policy` is what the site demanded when these settings were put together.
    """

    directories: paths.Directories
    mode_file: Path | None
    endpoint: str
    direct: bool
    concurrency: int
    connect_timeout: float
    read_timeout: float
    rescan_interval: float
    poll_interval: float
    keep_sent: bool
    strict: bool
    proxy: str | None = field(default=None, repr=False)
    ca_bundle: Path | None = None
    max_spool_bytes: int = MAX_SPOOL_BYTES.default
    policy: Source = field(default=policy.ABSENT, compare=False)


def resolve(flags: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, Resolved]:
    """Resolve every setting, with its origin. Raises SettingError for anything that is wrong."""
    return _resolve(_demanded(), flags, environ)


def _demanded() -> Source:
    demanded = policy.read()
    _refuse_unknown(demanded, (policy.MODE, *ALL_SETTINGS))
    policy.check(demanded, ALL_SETTINGS)
    return demanded


def _resolve(
    demanded: Source, flags: Mapping[str, object], environ: Mapping[str, str]
) -> dict[str, Resolved]:
    sources = [demanded, Source(FLAGS, flags), environment(ALL_SETTINGS, environ)]
    for path in paths.config_files():
        source = file(path)
        _refuse_unknown(source, ALL_SETTINGS)
        sources.append(source)
    return {setting.name: resolve_one(setting, sources) for setting in ALL_SETTINGS}


def _refuse_unknown(source: Source, settings: Iterable[Setting]) -> None:
    names = [setting.name for setting in settings]
    for name in unknown_keys(source, settings):
        raise SettingError(f"{source.label}: unknown setting {name!r}{_suggestion(name, names)}")


def _suggestion(name: str, names: Sequence[str]) -> str:
    import difflib  # for a mistake only

    close = difflib.get_close_matches(name, names, n=1)
    return f": did you mean {close[0]!r}?" if close else "; telemetry-uploader check lists them"


def load(flags: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> UploaderConfig:
    """Return the effective configuration. Raises SettingError for anything that is wrong."""
    demanded = _demanded()
    return replace(build(_resolve(demanded, flags, environ)), policy=demanded)


def build(resolved: Mapping[str, Resolved]) -> UploaderConfig:
    """Put resolved settings together. Raises SettingError if they do not go together."""

    def value(setting: Setting) -> Any:
        return resolved[setting.name].value

    endpoint = value(ENDPOINT)
    in_the_clear = urlsplit(endpoint).scheme == "http" and not value(ALLOW_INSECURE)
    if in_the_clear and not is_loopback(endpoint):
        raise SettingError(
            f"endpoint = {endpoint!r} ({resolved['endpoint'].origin}): events would cross the "
            "network in the clear; use https, or set allow_insecure = true"
        )
    ca_bundle = value(CA_BUNDLE)
    if ca_bundle is not None and not os.access(ca_bundle, os.R_OK):
        raise SettingError(
            f"ca_bundle = {str(ca_bundle)!r} ({resolved['ca_bundle'].origin}): there is nothing "
            "that can be read; give a PEM file, or a directory made with openssl rehash"
        )
    chosen_root = value(DIR)
    root = chosen_root or paths.default_root()
    if root is None:
        raise SettingError("no home directory to keep the spool in: set FLWR_TELEMETRY_DIR")
    return UploaderConfig(
        directories=paths.Directories(
            root, value(SPOOL_DIR) or default_spool(root, chosen=chosen_root is not None)
        ),
        mode_file=paths.mode_file(),
        endpoint=endpoint,
        direct=in_the_clear,
        concurrency=value(CONCURRENCY),
        connect_timeout=value(CONNECT_TIMEOUT),
        read_timeout=value(READ_TIMEOUT),
        rescan_interval=value(RESCAN_INTERVAL),
        poll_interval=value(POLL_INTERVAL),
        keep_sent=value(KEEP_SENT),
        strict=value(STRICT),
        proxy=value(PROXY),
        ca_bundle=ca_bundle,
        max_spool_bytes=value(MAX_SPOOL_BYTES),
    )
