"""What docs/sinks.md tells people to type and to write into files."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "sinks.md"

_SQL = re.compile(r"^curl .*<<'SQL'\n(.*?)^SQL$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The code blocks of one section, without those of its subsections."""

    text: str

    def blocks(self, language: str) -> list[str]:
        """Return the blocks in a language, in their order."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)

    def block(self, language: str) -> str:
        """Return the only block in a language."""
        (block,) = self.blocks(language)
        return block

    @property
    def settings(self) -> dict[str, Any]:
        """The uploader's settings."""
        return tomllib.loads(self.block("toml"))

    @property
    def statements(self) -> list[str]:
        """The SQL that its shell blocks send."""
        return [sql for block in self.blocks("sh") for sql in _SQL.findall(block)]


def recipe(title: str) -> Recipe:
    """Return the section with this title, whatever its level."""
    sections = re.split(r"^##+ ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = [section for section in sections if section.splitlines()[0] == title]
    return Recipe(text)
