"""Connect to the configured endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uploader.config import UploaderConfig

if TYPE_CHECKING:
    from uploader.transport import Transport, TransportFactory


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
