"""The way to the endpoint as `requests` would go: which proxy, and whose certificates.

curl has rules and variables of its own, which a user of `requests` has never met: it is told
everything.
"""

from __future__ import annotations

import math
import os
import re
import sys
import time
from dataclasses import dataclass

import certifi

from uploader.destination import Destination

# Looking for proxies costs as much as a request does; a system's proxies may change all the same.
_SETTLED_SECONDS = 30.0

# A URL in which there is nothing for `requests` to quote, encode or complain about.
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?"
)

_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "requests_ca_bundle", "curl_ca_bundle")


@dataclass(frozen=True, slots=True)
class Route:
    """A prepared URL, the proxy's address without its login, user and password, and a CA path."""

    url: str
    proxy: str
    login: tuple[bytes, bytes] | None
    authorities: str

    @property
    def secure(self) -> bool:
        """Whether there is TLS at its end."""
        return self.url.lower().startswith("https:")


class Routes:
    """Finds the way to one endpoint, and looks again now and then."""

    def __init__(self, destination: Destination) -> None:
        """Take the settings; nothing is looked up yet."""
        self._destination = destination
        self._route: Route | None = None
        self._settled_at = -math.inf
        self._secure = False

    def current(self) -> Route:
        """Return the way; the same object as long as nothing has changed.

        Raises ValueError for a URL that cannot be meant, and OSError if there are no certificates.
        """
        now = time.monotonic()
        if self._route is None or now - self._settled_at > _SETTLED_SECONDS:
            found = self._look()
            if found != self._route:
                self._route = found
            self._secure = self._route.secure
            self._settled_at = now
        if self._secure and not os.path.exists(self._route.authorities):
            raise FileNotFoundError(f"there is no CA bundle at {self._route.authorities}")
        return self._route

    def _look(self) -> Route:
        """Find the way; without `requests`, which takes 10 MiB, where it has nothing to decide."""
        to = self._destination
        if to.proxy is None and to.ca_bundle is None and _goes_straight(to.endpoint):
            return Route(to.endpoint, "", None, certifi.where())
        from uploader.requests_route import find

        return find(to)


def _goes_straight(endpoint: str) -> bool:
    """Tell whether neither the system nor the environment has a say in the way to a plain URL."""
    spoken = any(name.lower() in _VARIABLES for name in os.environ)
    return sys.platform == "linux" and not spoken and _PLAIN_URL.fullmatch(endpoint) is not None
