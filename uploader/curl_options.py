"""How curl is told to send what is meant and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pycurl

from uploader.curl_route import Route

# What curl would say by itself and `requests` does not. "Name:" leaves a header out.
_OURS = (b"Accept-Encoding: identity", b"Accept:", b"Expect:")
_OURS_BY_PROXY = (*_OURS, b"Proxy-Connection:")


def handle_for(route: Route, connect_timeout: float) -> Any:
    """Return a handle that goes this way; the timeout is in seconds."""
    handle = pycurl.Curl()
    for option, value in {**_constant(connect_timeout), **_way(route)}.items():
        handle.setopt(option, value)
    return handle


def header_lines(headers: Mapping[str, str], route: Route) -> list[bytes]:
    """Return headers as curl takes them, which adds `Host` and `Content-Length` by itself.

    Raises ValueError for what no header can be.
    """
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
    if "Content-Type" not in headers:
        lines.append("Content-Type:")
    together = "".join(lines)
    if not (together.isascii() and together.isprintable()):
        raise ValueError("a header has characters that cannot be sent")
    return [*map(str.encode, lines), *(_OURS_BY_PROXY if route.proxy else _OURS)]


# Not to wait for the name server when all is over, before libcurl 8.20: pycurl has no word for it.
_QUICK_EXIT = 322


def _constant(connect_timeout: float) -> dict[int, object]:
    return {
        pycurl.NOSIGNAL: 1,
        _QUICK_EXIT: 1,
        pycurl.USERAGENT: "",
        pycurl.TCP_NODELAY: 1,
        pycurl.CONNECTTIMEOUT_MS: max(1, round(connect_timeout * 1000)),
        pycurl.FOLLOWLOCATION: 0,
        pycurl.NETRC: pycurl.NETRC_IGNORED,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.HEADEROPT: pycurl.HEADER_SEPARATE,
        pycurl.PIPEWAIT: 1,
    }


def _way(route: Route) -> dict[int, object]:
    options: dict[int, object] = {
        pycurl.URL: route.url,
        pycurl.PROXY: route.proxy,
        # What is passed by has been decided: with a proxy nothing, without one everything.
        pycurl.NOPROXY: "" if route.proxy else "*",
        pycurl.HTTP_VERSION: (
            pycurl.CURL_HTTP_VERSION_2TLS if route.secure else pycurl.CURL_HTTP_VERSION_1_1
        ),
    }
    if route.login:
        options[pycurl.PROXYAUTH] = pycurl.HTTPAUTH_BASIC
        options[pycurl.PROXYUSERNAME], options[pycurl.PROXYPASSWORD] = route.login
    if Path(route.authorities).is_dir():
        options[pycurl.CAPATH] = options[pycurl.PROXY_CAPATH] = route.authorities
    else:
        options[pycurl.CAINFO] = options[pycurl.PROXY_CAINFO] = route.authorities
    return options
