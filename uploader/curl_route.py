"""The way to the endpoint as `requests` would go: which proxy, and whose certificates.

curl has rules and variables of its own, which a user of `requests` has never met: it is told
everything.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from requests.utils import (
    DEFAULT_CA_BUNDLE_PATH,
    get_auth_from_url,
    prepend_scheme_if_needed,
    select_proxy,
)

# Looking for proxies costs as much as a request does; a system's proxies may change all the same.
_SETTLED_SECONDS = 30.0


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

    def __init__(
        self, endpoint: str, *, direct: bool, proxy: str | None, ca_bundle: Path | None
    ) -> None:
        """Take the settings; nothing is looked up yet."""
        self._endpoint = endpoint
        self._proxies = _proxies(proxy, direct=direct)
        self._verify = str(ca_bundle) if ca_bundle else True
        self._session = requests.Session()
        self._route: Route | None = None
        self._settled_at = -math.inf

    def current(self) -> Route:
        """Return the way; the same object as long as nothing has changed.

        Raises ValueError (requests' and urllib3's own among them) for a URL that cannot be meant,
        and OSError if there are no certificates.
        """
        now = time.monotonic()
        if self._route is None or now - self._settled_at > _SETTLED_SECONDS:
            found = self._look()
            if found != self._route:
                self._route = found
            self._settled_at = now
        return self._route

    def _look(self) -> Route:
        url = requests.Request("POST", self._endpoint).prepare().url or ""
        settings = self._session.merge_environment_settings(
            url, dict(self._proxies), True, self._verify, None
        )
        proxy, login = _parted(select_proxy(url, settings["proxies"]))
        verify = settings["verify"]
        authorities = str(DEFAULT_CA_BUNDLE_PATH if verify is True else verify)
        route = Route(url, proxy, login, authorities)
        if route.secure and not os.path.exists(authorities):
            raise FileNotFoundError(f"there is no CA bundle at {authorities}")
        return route


def _proxies(proxy: str | None, *, direct: bool) -> dict[str, str]:
    if direct:
        return {"no_proxy": "*"}
    return {"http": proxy, "https": proxy} if proxy else {}


def _parted(proxy: str | None) -> tuple[str, tuple[bytes, bytes] | None]:
    """Return a proxy's address, parsed as `requests` does it, and its login."""
    if not proxy:
        return "", None
    proxy = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]
    if not proxy.lower().startswith(("http://", "https://")):
        raise requests.exceptions.InvalidProxyURL("only http and https proxies are supported")
    parsed = HTTPAdapter().proxy_manager_for(proxy).proxy
    if not parsed or not parsed.host:
        raise requests.exceptions.InvalidProxyURL("the proxy's URL names no host")
    user, password = get_auth_from_url(proxy)
    login = (user.encode("latin-1"), password.encode("latin-1")) if user else None
    return f"{parsed.scheme}://{parsed.host}:{parsed.port}", login
