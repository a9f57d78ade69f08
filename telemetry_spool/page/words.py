"""The sentences of the page: what the mode means, what is sent next, why it waits."""

from __future__ import annotations

from datetime import datetime

from telemetry_spool.consent import Mode
from telemetry_spool.heartbeat import Activity
from telemetry_spool.page.model import Page, State
from telemetry_spool.page.timeline import ago, parsed
from telemetry_spool.text import counted

MEANING = {
    Mode.ON: "Flower's programs record anonymous usage events here, and an uploader may send them.",
    Mode.LOCAL: "Flower's programs record events here, and nothing is sent.",
    Mode.OFF: "Nothing is recorded and nothing is sent.",
}

CHOICES = (
    (Mode.ON, "record events, and let an uploader send them"),
    (Mode.LOCAL, "record events, and send none"),
    (Mode.OFF, "record nothing, and send nothing"),
)

STATES = {
    State.PENDING: "recorded; an uploader may send it",
    State.LOCAL: "recorded; never sent by itself",
    State.REJECTED: "set aside; not sent again by itself",
    State.SENT: "accepted by the endpoint; deleted here",
}


def moment(date: str, *, seconds: bool = True) -> str:
    """Return a date as people read it, in UTC; what is no date is returned as it is."""
    found = parsed(date)
    if found is None:
        return date
    return f"{found:%Y-%m-%d %H:%M:%S}" if seconds else f"{found:%Y-%m-%d %H:%M}"


def since(date: str, now: datetime) -> str:
    """Return how long ago a date was, in words; what is no date is returned as it is."""
    found = parsed(date)
    return ago(found, now) if found else date


def size(count: int) -> str:
    """Return an amount of bytes in the unit that suits it."""
    if count < 2**10:
        return f"{count:,} bytes"
    unit, power = next(pair for pair in (("GiB", 30), ("MiB", 20), ("KiB", 10)) if count >> pair[1])
    return f"{count / 2**power:,.1f} {unit}"


def what_is_next(page: Page) -> str:
    """Return what would be sent next."""
    pending = page.totals[State.PENDING].events
    if page.consent.mode is not Mode.ON:
        return f"Nothing: the mode is {page.consent.mode.value}."
    if not pending:
        return "Nothing is waiting."
    return f"{counted(pending)}, the oldest first."


def why_it_waits(page: Page) -> str:
    """Return why that has not been sent yet; empty if there is nothing to say."""
    if page.consent.mode is not Mode.ON:
        return ""
    last = page.uploader
    if last is None:
        return "No uploader has run with this spool yet."
    heard = since(last.heartbeat.updated_at, page.now)
    if last.alive is False:
        return f"The uploader is not running. It was last heard of {heard}."
    doing = last.heartbeat.activity
    reason = last.heartbeat.reason or "it did not say why"
    sentences = {
        Activity.SENDING: "The uploader is sending now.",
        Activity.IDLE: "The uploader runs, and sends what comes as soon as it sees it.",
        Activity.WAITING: f"The endpoint cannot take events now: {reason}.",
        Activity.HELD: f"Sending is held until somebody mends this: {reason}.",
        Activity.PAUSED: f"The uploader may not send: {reason}.",
    }
    said = next((text for known, text in sentences.items() if known == doing), f"It is {doing}.")
    elsewhere = f" It runs on {last.heartbeat.host}, last heard of {heard}."
    return said + (elsewhere if last.alive is None else "")
