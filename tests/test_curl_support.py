"""Whether curl can be used: it is an extra, and some are too old."""

from __future__ import annotations

import sys

import pycurl
import pytest

from uploader.curl_support import why_not


def test_the_curl_that_tests_use_can_be_used() -> None:
    """There is nothing to say."""
    assert why_not() == ""


def test_curl_that_is_missing_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no error: `requests` does the same."""
    monkeypatch.setitem(sys.modules, "pycurl", None)

    assert why_not().startswith("pycurl cannot be loaded")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (0x073D01, "libcurl 7.61.1 is older than 7.88.0"),
        (0x0757FF, "libcurl 7.87.255 is older than 7.88.0"),
        (0x075800, ""),
        (0x080000, ""),
    ],
)
def test_curl_that_is_old_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    """It would take what is no HTTP for an answer."""
    monkeypatch.setattr(pycurl, "version_info", lambda: (0, "", number))

    assert why_not() == reason
