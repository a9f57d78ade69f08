"""What requests are addressed with: URLs and credentials in settings, and how they are shown."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


def endpoint_url(raw: object) -> str:
    """Accept an http(s) URL without user name and password."""
    url, parts = _http_url(raw)
    if parts.username is not None:
        raise ValueError(raw)
    return url


def proxy_url(raw: object) -> str:
    """Accept an http(s) URL of a proxy: host and port, and perhaps user name and password."""
    url, parts = _http_url(raw)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(raw)
    return url


def _http_url(raw: object) -> tuple[str, SplitResult]:
    if not isinstance(raw, str) or any(character.isspace() for character in raw):
        raise ValueError(raw)
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(raw)
    return raw, parts


def header_value(raw: object) -> str:
    """Accept what may be the value of a header: one line of printable ASCII."""
    if not isinstance(raw, str) or not (raw.isascii() and raw.isprintable() and raw.strip() == raw):
        raise ValueError(raw)
    return raw


def without_login(url: str) -> str:
    """Return a URL as it may be shown: with `…` for user name and password."""
    login, at, _ = urlsplit(url).netloc.rpartition("@")
    return url.replace(login + at, "…@", 1) if at else url


def is_loopback(url: str) -> bool:
    """Tell whether a URL's host is this machine and can be nothing else."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
