"""The boundary to a host program: losses are counted, said once through logging, never raised."""

from __future__ import annotations

import logging

import pytest

from telemetry_spool.consent import Mode
from telemetry_spool.recorder import Recorder, default_recorder
from telemetry_spool.writer_settings import writer_config
from tests.conftest import Place


def recorder(place: Place, **settings: str) -> Recorder:
    """Return a recorder for this root."""
    return Recorder(writer_config(place.environ | settings))


@pytest.mark.parametrize(
    ("mode", "recorded", "suffix"),
    [(Mode.ON, True, ["active.jsonl"]), (Mode.LOCAL, True, ["local.jsonl"]), (Mode.OFF, False, [])],
)
def test_the_mode_decides_where_an_event_goes(
    place: Place, mode: Mode, suffix: list[str], *, recorded: bool
) -> None:
    """Uploadable, local only, or nowhere."""
    assert recorder(place).record(b"{}", mode) is recorded
    assert [name.split(".", 2)[2] for name in place.names()] == suffix
    assert place.root.exists() is recorded


def test_an_event_that_is_too_long_is_a_counted_loss(place: Place) -> None:
    """The ledger says why."""
    recorded = recorder(place).record(b"x" * 100_000, Mode.ON)

    assert recorded is False
    assert place.names() == []
    assert place.losses() == {
        "event of 100000 bytes is longer than max_event_bytes = 65536": 1,
    }


def test_an_unwritable_spool_is_a_counted_loss_with_its_directory(place: Place) -> None:
    """A person who reads the ledger knows where to look."""
    place.root.mkdir()
    place.spool.write_bytes(b"in the way")

    recorded = recorder(place).record(b"{}", Mode.ON)

    assert recorded is False
    assert place.losses() == {f"{place.spool} cannot be written: Not a directory": 1}


def test_losses_are_said_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand lost events are one line in the log of a training run."""
    losing = recorder(place)

    for _ in range(5):
        losing.lost("no reason")

    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("telemetry_spool", logging.WARNING)
    ]
    assert "an event was lost: no reason" in caplog.text
    assert place.losses() == {"no reason": 5}


def test_a_wrong_setting_is_said_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """The program goes on with the default, and its log says what to mend."""
    recorder(place, FLWR_TELEMETRY_FSYNC="perhaps", FLWR_TELEMETRY_MAX_EVENT_BYTES="many")

    (record,) = caplog.records
    assert "FLWR_TELEMETRY_" in record.getMessage()


def test_without_logging_of_the_host_nothing_is_printed(
    place: Place, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's logging prints warnings to stderr where nobody has set it up."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    recorder(place).lost("no reason")

    assert capfd.readouterr() == ("", "")


def test_a_handler_of_the_host_that_fails_does_not_matter(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the host does with log records is not to come back through `event()`."""

    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError(record.getMessage())

    monkeypatch.setattr(logging.getLogger(), "handlers", [Failing()])

    recorder(place).lost("no reason")

    assert place.losses() == {"no reason": 1}


def test_a_process_has_one_recorder(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are read once a process."""
    monkeypatch.setenv("FLWR_TELEMETRY_DIR", str(place.root))

    first = default_recorder()
    assert first.record(b"{}", first.consent().mode)

    assert default_recorder() is first
    assert place.lines() == [b"{}"]


def test_nothing_is_lost_where_nothing_was_to_be_recorded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With telemetry off, not even the ledger is made: details that are no JSON, for one."""
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "0")

    recorder(place).lost("the event could not be built")

    assert not place.root.exists()
