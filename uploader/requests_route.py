"""The way to the endpoint as `requests` finds it."""

from __future__ import annotations

import requests
from requests.adapters import HTTPAdapter
from requests.utils import (
    DEFAULT_CA_BUNDLE_PATH,
    get_auth_from_url,
    prepend_scheme_if_needed,
    select_proxy,
)

from uploader.curl_route import Route
from uploader.destination import Destination


def find(destination: Destination) -> Route:
    """Return the way with these settings, and what the environment says.

    Raises ValueError (requests' and urllib3's own among them) for a URL that cannot be meant.
    """
    url = requests.Request("POST", destination.endpoint).prepare().url or ""
    with requests.Session() as session:
        settings = session.merge_environment_settings(
            url, destination.proxies, True, destination.verify, None
        )
    found, login = _parted(select_proxy(url, settings["proxies"]))
    verify = settings["verify"]
    authorities = str(DEFAULT_CA_BUNDLE_PATH if verify is True else verify)
    return Route(url, found, login, authorities)


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
