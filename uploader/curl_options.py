"""How curl is told to send what is meant and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pycurl

from uploader.curl_route import Route

# What curl would say by itself and `requests` does not. "Name:" leaves a header out.
_OURS = (b"Accept-Encoding: identity", b"Accept:")
_FOR_PROXY = b"Proxy-Connection:"

UNEXPECTING = b"Expect:"
"""A line for large bodies: with more than 1 MiB curl would ask whether they may come."""


class Head(NamedTuple):
    """Headers as curl takes them: each line costs, so the User-Agent is an option of its own."""

    agent: str
    lines: list[bytes]


def handle_for(route: Route, connect_timeout: float) -> Any:
    """Return a handle that goes this way; the timeout is in seconds."""
    handle = pycurl.Curl()
    for option, value in {**_constant(connect_timeout), **_way(route)}.items():
        handle.setopt(option, value)
    return handle


def head_of(headers: Mapping[str, str], route: Route) -> Head:
    """Return headers as curl takes them, which adds `Host` and `Content-Length` by itself.

    Raises ValueError for what no header can be.
    """
    others = dict(headers)
    agent = others.pop("User-Agent", "")
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in others.items()]
    if "Content-Type" not in headers:
        lines.append("Content-Type:")
    together = "".join([agent, *lines])
    if not (together.isascii() and together.isprintable()):
        raise ValueError("a header has characters that cannot be sent")
    ours = (*_OURS, _FOR_PROXY) if route.proxy else _OURS
    return Head(agent, [*map(str.encode, lines), *ours])


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
        pycurl.PROXYHEADER: [b"User-Agent:", _FOR_PROXY],
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
