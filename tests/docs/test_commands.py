"""The page of the commands leaves nothing out that it has to be told of by hand."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.docs.commands import EXIT_CODES, commands_page

ROOT = Path(__file__).parents[2]


def test_every_exit_code_is_explained() -> None:
    """Each name of sysexits.h that the code ends with has its number and a meaning on the page."""
    sources = [
        path.read_text("utf-8")
        for package in ("telemetry_spool", "uploader")
        for path in (ROOT / package).rglob("*.py")
    ]
    used = {name for source in sources for name in re.findall(r"\bos\.(EX_[A-Z]+)", source)}
    explained = {name: code for code, (name, _) in EXIT_CODES.items() if name}
    assert explained == {name: getattr(os, name) for name in used}


def test_every_link_on_the_page_leads_to_a_heading() -> None:
    """What is linked to on the page itself is there, as GitHub names headings."""
    page = commands_page()
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= anchors
