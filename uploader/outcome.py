"""What an answer means for an event: accepted, tried again, held for the operator, or rejected."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from telemetry_spool.text import plain
from uploader.backoff import parse_retry_after

BODY_BYTES = 64 * 2**10
"""How much of an answer's body is read: enough for any answer that is worth understanding."""

_EXCERPT_BYTES = 1024
# A reason is one line in a log and in a status; an address that is longer is no address.
_REASON_CHARACTERS = 200
_UNDERSTOOD_REJECTIONS = {
    400: "the endpoint says the event is malformed",
    413: "the endpoint says the event is too large",
    415: "the endpoint does not take this content type",
    422: "the endpoint cannot process the event",
}
_TEMPORARY = (408, 425, 429)
_CHECK_ENDPOINT = "check the setting `endpoint` (telemetry-uploader check)"
_CHECK_CREDENTIALS = "check the settings `authorization` and `endpoint` (telemetry-uploader check)"
_CHECK_BATCH = "check the settings `endpoint`, `sink` and `compression` (telemetry-uploader check)"
_OPERATOR_ERRORS = {
    401: "the endpoint wants other credentials than this uploader has: " + _CHECK_CREDENTIALS,
    403: "the endpoint or a proxy forbids the request: " + _CHECK_CREDENTIALS,
    404: "there is nothing at this address: " + _CHECK_ENDPOINT,
    405: "the address does not take POST: " + _CHECK_ENDPOINT,
    407: "the proxy wants credentials: put them into the setting `proxy`, or into "
    "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
}
_PORTAL = "something between here and the endpoint answers, perhaps a login page"
_LOG_IN = "log in to the network's page in a browser, or " + _CHECK_ENDPOINT


class Verdict(Enum):
    """What becomes of an event."""

    ACCEPTED = "accepted"
    """The endpoint has it."""
    RETRY = "retry"
    """The endpoint cannot take it now; it waits, and every other event with it."""
    HOLD = "hold"
    """Only a person can mend it; nothing is deleted meanwhile."""
    REJECTED = "rejected"
    """The endpoint will never take this event: it goes to the dead letters."""


class Trouble(Enum):
    """Why no answer came."""

    NETWORK = "network"
    TLS = "tls"
    PROXY_CREDENTIALS = "proxy credentials"
    PROXY_REFUSAL = "proxy refusal"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: the first `BODY_BYTES` of its body; `cut` if that is not all to read."""

    status: int
    content_type: str = ""
    retry_after: str | None = None
    location: str | None = None
    body: bytes = b""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer: what kind of trouble, and the library's words for it."""

    trouble: Trouble
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict with everything that a person or a ledger wants to know about it.

    `reason` is for people; `remedy` says what they can do about it. `retry_after` is in seconds.
    """

    verdict: Verdict
    reason: str = ""
    remedy: str = ""
    status: int | None = None
    response: str = ""
    retry_after: float | None = None


def judge(result: Answer | Failure, now: datetime, *, batched: bool = False) -> Outcome:
    """Turn the result of one request into its outcome, at the time of day `now`.

    `batched` says that it carried a batch and not one event as Flower sends it.
    """
    if isinstance(result, Failure):
        return _judge_failure(result)
    if batched and result.status == 415:
        reason = "HTTP 415: the endpoint does not take such batches"
        return Outcome(Verdict.HOLD, reason, _CHECK_BATCH, result.status)
    return _judge_answer(result, now)


def not_the_event(outcome: Outcome) -> Outcome:
    """Return what a rejection means if it is the batch that the endpoint does not take."""
    return replace(outcome, verdict=Verdict.HOLD, remedy=_CHECK_BATCH)


def _judge_failure(failure: Failure) -> Outcome:
    reason = _quoted(failure.message)
    match failure.trouble:
        case Trouble.NETWORK:
            return Outcome(Verdict.RETRY, reason)
        case Trouble.TLS:
            remedy = (
                "check this machine's clock and its CA bundle (REQUESTS_CA_BUNDLE, or the setting "
                "`ca_bundle`)"
            )
        case Trouble.PROXY_CREDENTIALS:
            remedy = _OPERATOR_ERRORS[407]
        case Trouble.PROXY_REFUSAL:
            remedy = (
                "have the proxy let this endpoint through, or pass it by (NO_PROXY, or the setting "
                "`proxy`)"
            )
        case Trouble.CONFIGURATION:
            remedy = (
                "check the settings `proxy` and `ca_bundle` (telemetry-uploader check), and the "
                "proxy and CA variables (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE)"
            )
    return Outcome(Verdict.HOLD, reason, remedy)


def _judge_answer(answer: Answer, now: datetime) -> Outcome:
    verdict, reason, remedy = _verdict(answer)
    waits = verdict is Verdict.RETRY
    return Outcome(
        verdict,
        f"HTTP {answer.status}{reason}",
        remedy,
        answer.status,
        answer.body[:_EXCERPT_BYTES].decode("utf-8", "replace"),
        parse_retry_after(answer.retry_after, now) if waits else None,
    )


def _verdict(answer: Answer) -> tuple[Verdict, str, str]:
    """Return verdict, the end of the reason, and the remedy."""
    status = answer.status
    if 200 <= status < 300 and _is_empty_or_json(answer):
        return Verdict.ACCEPTED, "", ""
    if 200 <= status < 300 or (status == 403 and _is_html(answer)):
        return Verdict.RETRY, f" with a page instead of JSON: {_PORTAL}", _LOG_IN
    if status in _TEMPORARY or status >= 500:
        return Verdict.RETRY, *((f": {_PORTAL}", _LOG_IN) if status == 511 else ("", ""))
    if status < 400:
        where = f" to {_quoted(answer.location)}" if answer.location else ""
        return Verdict.HOLD, f": the endpoint has moved{where}", _CHECK_ENDPOINT
    if status in _OPERATOR_ERRORS:
        return Verdict.HOLD, "", _OPERATOR_ERRORS[status]
    meaning = _UNDERSTOOD_REJECTIONS.get(status, "the endpoint refuses the event")
    return Verdict.REJECTED, f": {meaning}", ""


def _quoted(text: str) -> str:
    """Return what came over the network as a person may see it."""
    shown = plain(text)
    return shown if len(shown) <= _REASON_CHARACTERS else shown[:_REASON_CHARACTERS] + "…"


def _is_html(answer: Answer) -> bool:
    return "html" in answer.content_type.lower() or answer.body.lstrip()[:1] == b"<"


def _is_empty_or_json(answer: Answer) -> bool:
    if not answer.body.strip() and not answer.cut:
        return True
    if _is_html(answer):
        return False
    if answer.cut:
        return "json" in answer.content_type.lower()
    try:
        json.loads(answer.body)
    except (ValueError, RecursionError):
        return False
    return True
