"""The wheel: with the compiled part where there is a compiler, for every machine where not."""

from __future__ import annotations

import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.environments import NotProvisioned, build, copy_sources, wheel


def built(directory: Path, compiler: str) -> Path:
    """Return a wheel that is built with this compiler, beside the library of an older source."""
    source = copy_sources(directory / "source")
    (source / "uploader" / "_lines.so").write_bytes(b"of an older source")
    try:
        build(source, directory / "wheels", CC=compiler)
    except NotProvisioned as error:
        pytest.skip(f"the wheel cannot be built here: {error}")
    (found,) = (directory / "wheels").iterdir()
    return found


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"], ids=["absent", "failing"])
def test_without_a_compiler_a_wheel_is_for_every_machine(tmp_path: Path, compiler: str) -> None:
    """It has all but the compiled part, and no old one."""
    found = built(tmp_path, compiler)

    assert found.name.endswith("-py3-none-any.whl")
    names = ZipFile(found).namelist()
    assert "uploader/lines.c" in names
    assert "uploader/_lines.so" not in names


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_with_a_compiler_a_wheel_is_for_this_kind_of_machine() -> None:
    """Of any version of Python."""
    try:
        found = wheel()
    except NotProvisioned as error:
        pytest.skip(f"the wheel cannot be built here: {error}")

    assert "-py3-none-" in found.name
    assert not found.name.endswith("-any.whl")
    assert ZipFile(found).read("uploader/_lines.so")[:4] in (b"\x7fELF", b"\xcf\xfa\xed\xfe")
