"""Connect to the configured endpoint, with the library that the settings ask for.

What it needs is loaded with the first request: a daemon that has nothing to send, or may not, is
half the size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uploader.carrier import Carrier
from uploader.config import UploaderConfig
from uploader.destination import Destination
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

        return CurlTransport(_destination(config))
    return _requests(config)


def uses_curl(config: UploaderConfig) -> bool:
    """Tell whether curl carries the requests: where it was asked for, or can be used."""
    from uploader.curl_support import why_not

    return config.transport == "pycurl" or (config.transport == "auto" and not why_not())


def _lanes(config: UploaderConfig) -> Carrier:
    return Lanes(config.concurrency, lambda: _requests(config))


def _requests(config: UploaderConfig) -> RequestsTransport:
    from uploader.transport import RequestsTransport

    return RequestsTransport(_destination(config))


def _curl(config: UploaderConfig) -> Carrier:
    from uploader.curl_carrier import CurlCarrier

    return CurlCarrier(_destination(config), config.concurrency)


def _destination(config: UploaderConfig) -> Destination:
    return Destination(
        config.endpoint,
        config.connect_timeout,
        config.read_timeout,
        direct=config.direct,
        proxy=config.proxy,
        ca_bundle=config.ca_bundle,
    )
