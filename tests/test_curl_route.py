"""The way that curl is told to go: the same that `requests` would go, found with less."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.network import to
from uploader import requests_route
from uploader.curl_route import Routes

pytestmark = pytest.mark.usefixtures("plain_network")

PLAIN = ["https://telemetry.flower.ai/api/v1/event", "http://127.0.0.1:8787/", "https://a.example"]


@pytest.mark.parametrize("endpoint", PLAIN)
def test_a_plain_way_is_the_one_that_requests_goes(endpoint: str) -> None:
    """Where neither settings nor environment say anything."""
    found = Routes(to(endpoint)).current()
    known = requests_route.find(to(endpoint))

    assert (found.proxy, found.login, found.authorities) == ("", None, known.authorities)
    assert found.url.rstrip("/") == known.url.rstrip("/")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "http://127.0.0.1:3128"),
        ("https_proxy", "http://127.0.0.1:3128"),
        ("ALL_PROXY", "http://127.0.0.1:3128"),
        ("REQUESTS_CA_BUNDLE", __file__),
        ("CURL_CA_BUNDLE", __file__),
    ],
)
def test_what_the_environment_says_is_asked_of_requests(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Its rules are many."""
    monkeypatch.setenv(variable, value)

    found = Routes(to(PLAIN[0])).current()

    assert found == requests_route.find(to(PLAIN[0]))
    assert value in (found.proxy, found.authorities)


def test_a_plain_way_is_found_without_requests() -> None:
    """It would be a quarter of the daemon."""
    script = (
        "import sys; from uploader.curl_route import Routes\n"
        "from uploader.destination import Destination\n"
        f"Routes(Destination({PLAIN[0]!r}, 20.0, 20.0)).current()\n"
        "sys.exit('requests' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
