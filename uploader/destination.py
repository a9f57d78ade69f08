"""Where requests go, by which way, and how long that may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Destination:
    """An endpoint and the way to it; the timeouts are in seconds.

    Past any proxy if `direct`, else through `proxy` if there is one, else as the environment says;
    with the authorities in `ca_bundle`, else those that the environment says.
    """

    endpoint: str
    connect_timeout: float
    read_timeout: float
    direct: bool = False
    proxy: str | None = None
    ca_bundle: Path | None = None

    @property
    def proxies(self) -> dict[str, str]:
        """The proxies as `requests` is told them; it finds what is not said here by itself."""
        if self.direct:
            return {"no_proxy": "*"}
        return {"http": self.proxy, "https": self.proxy} if self.proxy else {}

    @property
    def verify(self) -> str | bool:
        """The authorities as `requests` is told them."""
        return str(self.ca_bundle) if self.ca_bundle else True
