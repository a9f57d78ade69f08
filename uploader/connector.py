"""Connect to the configured endpoint, with the library that the settings ask for.

What it needs is loaded with the first request: a daemon that has nothing to send, or may not, is
half the size.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from uploader.carrier import Carrier
from uploader.config import UploaderConfig
from uploader.lanes import Lanes
from uploader.late import LateCarrier

if TYPE_CHECKING:
    from uploader.curl import CurlTransport
    from uploader.transport import RequestsTransport


def carrier_for(config: UploaderConfig) -> Carrier:
    """Return what carries requests to the endpoint."""
    if config.transport == "requests":
        return _lanes(config)
    return LateCarrier(lambda: _curl(config) if uses_curl(config) else _lanes(config))


def connect(config: UploaderConfig) -> CurlTransport | RequestsTransport:
    """Return what sends one request at a time, or only asks."""
    if uses_curl(config):
        from uploader.curl import CurlTransport

        return CurlTransport(
            config.endpoint, config.connect_timeout, config.read_timeout, **_way(config)
        )
    return _requests(config)


def uses_curl(config: UploaderConfig) -> bool:
    """Tell whether curl carries the requests: where it was asked for, or can be used."""
    from uploader.curl_support import why_not

    return config.transport == "pycurl" or (config.transport == "auto" and not why_not())


def _lanes(config: UploaderConfig) -> Carrier:
    return Lanes(config.concurrency, lambda: _requests(config))


def _requests(config: UploaderConfig) -> RequestsTransport:
    from uploader.transport import RequestsTransport

    return RequestsTransport(
        config.endpoint, config.connect_timeout, config.read_timeout, **_way(config)
    )


def _curl(config: UploaderConfig) -> Carrier:
    from uploader.curl_carrier import CurlCarrier

    return CurlCarrier(
        config.endpoint,
        config.connect_timeout,
        config.read_timeout,
        concurrency=config.concurrency,
        **_way(config),
    )


class _Way(TypedDict):
    direct: bool
    proxy: str | None
    ca_bundle: Path | None


def _way(config: UploaderConfig) -> _Way:
    return {"direct": config.direct, "proxy": config.proxy, "ca_bundle": config.ca_bundle}
