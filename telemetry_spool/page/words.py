"""The sentences of the page: what the mode means, what is sent next, why it waits."""

from __future__ import annotations

from datetime import datetime

from telemetry_spool.consent import Mode
from telemetry_spool.entries import State
from telemetry_spool.heartbeat import Activity, ran_lately
from telemetry_spool.page.model import Page
from telemetry_spool.page.timeline import ago
from telemetry_spool.selection import moment_of
from telemetry_spool.text import counted

MEANING = {
    Mode.ON: "Flower's programs record anonymous usage events here, and an uploader may send them.",
    Mode.LOCAL: "Flower's programs record events here, and nothing is sent by itself.",
    Mode.OFF: "Nothing is recorded and nothing is sent.",
}

CHOICES = (
    (Mode.ON, "record events, and let an uploader send them"),
    (Mode.LOCAL, "record events, and send only what you choose"),
    (Mode.OFF, "record nothing, and send nothing"),
)

STATES = {
    State.PENDING: "recorded; an uploader may send it",
    State.LOCAL: "recorded; never sent by itself",
    State.REJECTED: "set aside; not sent again by itself",
    State.SENT: "accepted by the endpoint; deleted here",
}


def moment(date: str) -> str:
    """Return a date as people read it, in UTC; what is no date is returned as it is."""
    found = moment_of(date)
    return f"{found:%Y-%m-%d %H:%M:%S}" if found else date


def since(date: str, now: datetime) -> str:
    """Return how long ago a date was, in words; what is no date is returned as it is."""
    found = moment_of(date)
    return ago(found, now) if found else date


def size(count: int) -> str:
    """Return an amount of bytes in the unit that suits it."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >> power:
            return f"{count / 2**power:,.1f} {unit}"
    return f"{count:,} bytes"


def what_is_next(page: Page) -> str:
    """Return what would be sent next."""
    mode = page.state.consent.mode
    if not page.next.events:
        return "Nothing is waiting." if mode is Mode.ON else f"Nothing: the mode is {mode.value}."
    chosen = " that you chose to send" if mode is Mode.LOCAL else ""
    return f"{counted(page.next.events)}{chosen}, the oldest first, one request each."


def why_it_waits(page: Page) -> str:
    """Return why that has not been sent yet; empty if there is nothing to say."""
    if page.state.consent.mode is not Mode.ON and not page.next.events:
        return ""
    last, alive = page.state.uploader, page.state.alive
    if last is None:
        return "No uploader has run with this spool yet."
    heard = since(last.updated_at, page.now)
    reason = last.reason or "it did not say why"
    if alive is False and ran_lately(last):
        why = f" and kept something: {last.reason}" if last.reason else ""
        return f"A single run of the uploader ended {heard}{why}. The next one sends what is here."
    if alive is False:
        return f"The uploader is not running. It was last heard of {heard}."
    sentences: dict[str, str] = {
        Activity.SENDING: "The uploader is sending now.",
        Activity.IDLE: "The uploader runs, and sends what comes as soon as it sees it.",
        Activity.WAITING: f"The endpoint cannot take events now: {reason}.",
        Activity.HELD: f"Sending is held until somebody mends this: {reason}.",
        Activity.PAUSED: f"The uploader may not send: {reason}.",
    }
    said = sentences.get(last.activity, f"The uploader says that it is {last.activity}.")
    elsewhere = f" It runs on {last.host}, and was last heard of {heard}."
    return said + (elsewhere if alive is None else "")
