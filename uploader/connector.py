"""Connect to the configured endpoint, with the library that the settings ask for."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from uploader.carrier import Carrier
from uploader.config import UploaderConfig
from uploader.lanes import Lanes

if TYPE_CHECKING:
    from uploader.transport import Transport, TransportFactory


def carrier_for(config: UploaderConfig) -> Carrier:
    """Return what carries requests to the endpoint."""
    if not uses_curl(config):
        return Lanes(config.concurrency, connector(config))
    from uploader.curl_carrier import CurlCarrier

    return CurlCarrier(
        config.endpoint,
        config.connect_timeout,
        config.read_timeout,
        direct=config.direct,
        proxy=config.proxy,
        ca_bundle=config.ca_bundle,
        concurrency=config.concurrency,
    )


def uses_curl(config: UploaderConfig) -> bool:
    """Tell whether curl carries the requests: where it was asked for, or is installed."""
    if config.transport == "auto":
        return find_spec("pycurl") is not None
    return config.transport == "pycurl"


def connector(config: UploaderConfig) -> TransportFactory:
    """Return what makes a transport for each lane.

    What it needs is loaded with the first request: a daemon that has nothing to send, or may not,
    is half the size.
    """

    def connect() -> Transport:
        from uploader.transport import RequestsTransport

        return RequestsTransport(
            config.endpoint,
            config.connect_timeout,
            config.read_timeout,
            direct=config.direct,
            proxy=config.proxy,
            ca_bundle=config.ca_bundle,
        )

    return connect
