"""The first session that the docs show is what a terminal shows."""

from __future__ import annotations

import pytest

from tests.docs.session import PAGE, session_page, why_no_session


def test_the_session_is_what_a_terminal_shows() -> None:
    """A page that is out of date is made again with `python -m tests.docs.session`."""
    if reason := why_no_session():
        pytest.skip(reason)
    assert PAGE.read_text(encoding="utf-8") == session_page()
