"""The URLs in settings: what is taken for one, and what of it may be shown."""

from __future__ import annotations

import pytest

from uploader.addresses import endpoint_url, is_loopback, proxy_url, without_login


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy.example.org:3128",
        "http://proxy.example.org:3128/",
        "https://proxy.example.org",
        "http://user:password@proxy.example.org:3128",
        "http://user:p%40ss%2Fword@[::1]:3128",
        "http://user@10.0.0.1:3128",
    ],
)
def test_a_proxy_is_a_host_and_perhaps_a_port_and_a_login(url: str) -> None:
    """The value is used as it was given."""
    assert proxy_url(url) == url


@pytest.mark.parametrize(
    "bad",
    [
        "proxy.example.org:3128",
        "socks5://proxy.example.org:1080",
        "http://",
        "http://user:password@",
        "http://user:pass/word@proxy.example.org:3128",
        "http://proxy.example.org:0",
        "http://proxy.example.org:port",
        "http://proxy.example.org/path",
        "http://proxy.example.org/?query",
        "http://proxy.example.org/#fragment",
        "http://proxy. example.org",
        "http://[::1",
        7,
        None,
    ],
)
def test_anything_else_is_no_proxy(bad: object) -> None:
    """Better now than in the middle of the night."""
    with pytest.raises(ValueError):  # noqa: PT011 - it must not say what was wrong
        proxy_url(bad)


def test_an_endpoint_has_no_login() -> None:
    """It is shown, and written down with every receipt."""
    with pytest.raises(ValueError):  # noqa: PT011
        endpoint_url("https://user:password@example.org/")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://user@proxy:3128", "http://…@proxy:3128"),
        ("http://user:word@proxy:3128/", "http://…@proxy:3128/"),
        ("https://user:w@rd@[::1]:3128", "https://…@[::1]:3128"),
        ("http://http:http@http:3128", "http://…@http:3128"),
    ],
)
def test_a_login_is_never_shown(url: str, shown: str) -> None:
    """Neither the password nor the name."""
    assert without_login(url) == shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost/", True),
        ("http://127.0.0.1:8787/", True),
        ("http://[::1]/", True),
        ("http://127.0.0.1.example.org/", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_loopback_is_known_by_its_address(url: str, expected: bool) -> None:
    """A name can lead anywhere, whatever it looks like."""
    assert is_loopback(url) is expected
