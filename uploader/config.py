"""The uploader's settings, resolved and checked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from telemetry_spool import paths, policy
from telemetry_spool.dropbox import default_spool
from telemetry_spool.settings import (
    FLAGS,
    Resolved,
    Setting,
    SettingError,
    Source,
    environment,
    file,
    resolve_one,
    unknown_keys,
)
from telemetry_spool.writer_settings import MAX_SPOOL_BYTES
from uploader.addresses import is_loopback
from uploader.settings import ALL_SETTINGS


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
    sink: str
    compression: str
    batch_events: int
    batch_bytes: int
    batch_seconds: float
    transport: str
    max_events_per_second: float | None = None
    authorization: str | None = field(default=None, repr=False)
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
    direct = _goes_direct(resolved)
    _check_ca_bundle(resolved["ca_bundle"])
    _check_libraries(resolved)
    chosen_root = resolved["dir"].value
    root = chosen_root or paths.default_root()
    if root is None:
        raise SettingError("no home directory to keep the spool in: set FLWR_TELEMETRY_DIR")
    spool = resolved["spool_dir"].value or default_spool(root, chosen=chosen_root is not None)
    taken = {field.name for field in fields(UploaderConfig)} & resolved.keys()
    return UploaderConfig(
        directories=paths.Directories(root, spool),
        mode_file=paths.mode_file(),
        direct=direct,
        **{name: resolved[name].value for name in taken},
    )


def _goes_direct(resolved: Mapping[str, Resolved]) -> bool:
    endpoint, origin = resolved["endpoint"].value, resolved["endpoint"].origin
    in_the_clear = urlsplit(endpoint).scheme == "http" and not resolved["allow_insecure"].value
    if in_the_clear and not is_loopback(endpoint):
        raise SettingError(
            f"endpoint = {endpoint!r} ({origin}): events would cross the network in the clear; use "
            "https, or set allow_insecure = true"
        )
    return in_the_clear


def _check_ca_bundle(chosen: Resolved) -> None:
    if chosen.value is not None and not os.access(chosen.value, os.R_OK):
        raise SettingError(
            f"ca_bundle = {str(chosen.value)!r} ({chosen.origin}): there is nothing that can be "
            "read; give a PEM file, or a directory made with openssl rehash"
        )


def _check_libraries(resolved: Mapping[str, Resolved]) -> None:
    missing = {"compression": "", "transport": ""}
    if resolved["compression"].value == "zstd" and find_spec("zstandard") is None:
        missing["compression"] = "zstandard is not installed"
    if resolved["transport"].value == "pycurl":
        from uploader.curl_support import why_not  # with curl, which is loaded if it is asked for

        missing["transport"] = why_not()
    for name, reason in missing.items():
        if reason:
            raise SettingError(
                f"{name} = {resolved[name].value!r} ({resolved[name].origin}): {reason}: "
                "pip install 'flwr-telemetry-spool[fast]'"
            )
