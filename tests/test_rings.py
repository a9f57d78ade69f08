"""What the doorbell said: names while there are few, else everything is looked at."""

from __future__ import annotations

import threading

import pytest

from uploader.rings import Rings

MANY = 1_000


def noted(*names: str) -> Rings:
    """Return what was told these names."""
    rings = Rings()
    for name in names:
        rings.note(name)
    return rings


def test_names_are_taken_once() -> None:
    """However often one of them was noted."""
    rings = noted("a", "b", "a")

    assert rings.take() == frozenset({"a", "b"})
    assert rings.take() is None


def test_nothing_noted_means_that_anything_may_have_changed() -> None:
    """Somebody asked for a look without saying why."""
    assert noted().take() is None


@pytest.mark.parametrize("names", [[""], ["a", ""], ["", "a"]])
def test_one_ring_without_a_name_is_enough(names: list[str]) -> None:
    """The one without may be about anything; the next look is about names again."""
    rings = noted(*names)

    assert rings.take() is None
    rings.note("b")
    assert rings.take() == frozenset({"b"})


def test_as_many_as_are_kept_may_not_be_all() -> None:
    """One less are."""
    few = [str(number) for number in range(MANY - 1)]

    assert noted(*few).take() == frozenset(few)
    for more in (1, 5000):
        rings = noted(*few, *["x"] * more)
        assert rings.take() is None
        rings.note("b")
        assert rings.take() == frozenset({"b"})


def test_no_name_is_lost_between_threads() -> None:
    """What is noted while another thread takes is taken the next time."""
    rings, writers = Rings(), 4
    names = [[f"{writer} {number}" for number in range(200)] for writer in range(writers)]
    found: set[str] = set()

    def note(mine: list[str]) -> None:
        for name in mine:
            rings.note(name)

    threads = [threading.Thread(target=note, args=(mine,)) for mine in names]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found |= rings.take() or frozenset()
    found |= rings.take() or frozenset()

    assert found == {name for mine in names for name in mine}
