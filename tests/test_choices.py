"""The mode files of a drop box: whose word counts, and which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telemetry_spool.consent import Mode
from uploader.choices import Choices

ME = os.geteuid()


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("on\n", Mode.ON),
        ("local\n", Mode.LOCAL),
        ("off\n", Mode.OFF),
        ("off", Mode.OFF),
        ("", Mode.OFF),
        ("maybe\n", Mode.OFF),
        ("on" + " " * 100 + "off", Mode.ON),
        ("\udcff\n", Mode.OFF),
    ],
)
def test_the_word_of_the_owner_counts(tmp_path: Path, text: str, mode: Mode) -> None:
    """A word that cannot be understood means the private one."""
    (tmp_path / f"{ME}.mode").write_bytes(text.encode("utf-8", "surrogateescape"))

    assert Choices(str(tmp_path)).mode(ME) is mode


def test_no_file_means_on(tmp_path: Path) -> None:
    """Nothing was chosen here; the user's own mode file stops the recording anyway."""
    assert Choices(str(tmp_path)).mode(ME) is Mode.ON
    assert Choices(str(tmp_path / "absent")).mode(ME) is Mode.ON


def test_the_file_of_another_user_is_nobodys_word(tmp_path: Path) -> None:
    """Whatever its name is."""
    (tmp_path / f"{ME + 1}.mode").write_text("off\n")

    assert Choices(str(tmp_path)).mode(ME + 1) is Mode.ON


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/hosts", path)])
def test_what_is_no_file_is_no_word(tmp_path: Path, make: object) -> None:
    """And nobody waits for a FIFO."""
    assert callable(make)
    make(tmp_path / f"{ME}.mode")

    assert Choices(str(tmp_path)).mode(ME) is Mode.ON


@pytest.mark.parametrize(("text", "mode"), [("off\n", Mode.OFF), ("# my notes\n", Mode.ON)])
def test_of_a_linked_file_only_our_words_count(tmp_path: Path, text: str, mode: Mode) -> None:
    """Somebody else may have linked any file of the user's there, or this one elsewhere."""
    (tmp_path / f"{ME}.mode").write_text(text)
    os.link(tmp_path / f"{ME}.mode", tmp_path / "link")

    assert Choices(str(tmp_path)).mode(ME) is mode


def test_a_change_counts_at_once(tmp_path: Path) -> None:
    """Nothing is remembered between two requests."""
    choices = Choices(str(tmp_path))
    (tmp_path / f"{ME}.mode").write_text("off\n")
    assert choices.mode(ME) is Mode.OFF
    (tmp_path / f"{ME}.mode").unlink()

    assert choices.mode(ME) is Mode.ON
