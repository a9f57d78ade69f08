"""Pages made from the code are the ones in the repository."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.docs.pages import DOCS, PAGES


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES.keys())
def test_page_says_what_the_code_says(name: str, page: Callable[[], str]) -> None:
    """A page that is out of date is made again with `python -m tests.docs.pages`."""
    assert (DOCS / name).read_text(encoding="utf-8") == page()
