"""The benchmark's page: figures stand beside those of the same table."""

from __future__ import annotations

from benchmarks.drain.delivery import table
from benchmarks.drain.load import Figures
from benchmarks.drain.measuring import Run
from benchmarks.drain.peers import CONFIGURATIONS
from benchmarks.drain.processes import Command, Usage
from benchmarks.drain.report import Report, markdown
from benchmarks.drain.subjects import Kind, Subject
from benchmarks.drain.tables import Text, figure
from benchmarks.drain.tally import Verdict
from benchmarks.drain.turns import Measured

EVENTS = 1000


def subject(name: str, kind: Kind, *, missing: str = "") -> Subject:
    """Return a subject that is never run."""
    return Subject(name, kind, lambda _: Command([]), missing=missing)


def delivered(name: str, kind: Kind, *microseconds: float) -> Measured:
    """Return a subject whose runs took so many microseconds an event."""
    runs = [
        Run(
            Usage(0.0, EVENTS * each / 1e6, 20.0),
            Verdict(EVENTS, EVENTS, 0, 0, 0),
            Figures(1, 0, 0.0, 1, 1.0, 2.0),
        )
        for each in microseconds
    ]
    return Measured(subject(name, kind), runs)


def test_ratios_are_to_the_least_floor_and_the_best_peer() -> None:
    """Medians, each beside the others of its table; the floors come first."""
    made = table(
        "Title",
        "About.",
        [
            delivered("slow", Kind.PEER, 9.0, 8.0, 100.0),
            delivered("us", Kind.OURS, 3.0),
            delivered("fast", Kind.PEER, 6.0),
            delivered("least", Kind.FLOOR, 2.0),
        ],
        [],
    )
    assert [[row[0], *row[1:5]] for row in made.rows] == [
        ["floor: least", "2.00", "2.00, 2.00", "1.00 x", "0.33 x"],
        ["ours: us", "3.00", "3.00, 3.00", "1.50 x", "0.50 x"],
        ["peer: fast", "6.00", "6.00, 6.00", "3.00 x", "1.00 x"],
        ["peer: slow", "9.00", "8.00, 100", "4.50 x", "1.50 x"],
    ]


def test_what_is_missing_or_failed_has_a_remark_and_no_row() -> None:
    """A figure of a run that lost events would be no figure."""
    failed = delivered("lossy", Kind.PEER, 1.0)
    failed.failure = "1 event did not arrive"
    made = table("", "", [failed], [subject("absent", Kind.PEER, missing="not on PATH")])
    assert not made.rows
    assert made.remarks == [
        "Not measured: absent: not on PATH.",
        "Failed: lossy: 1 event did not arrive.",
    ]


def test_the_page_has_tables_texts_and_every_configuration() -> None:
    """Who doubts a figure finds what it was measured with."""
    made = table("One", "About.", [delivered("us", Kind.OURS, 3.0)], [])
    text = Text("Other", "a  b", "python -m other")
    page = markdown(Report("python -m x", "1 round", 0.1, ["a machine"], 744, "r", [made, text]))
    assert "## One\n\nAbout.\n\n|  | CPU µs/event |" in page
    assert "| **ours: us** | **3.00** |" in page
    assert "## Other\n\nMade by `python -m other`.\n\n```\na  b\n```" in page
    for path in CONFIGURATIONS.iterdir():
        assert f"(../benchmarks/peers/{path.name})" in page


def test_a_figure_has_three_digits() -> None:
    """Nobody measures more."""
    assert [figure(value) for value in (0.5, 9.876, 54.32, 1234.5)] == [
        "0.50",
        "9.88",
        "54.3",
        "1,234",
    ]
