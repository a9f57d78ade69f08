"""Make `docs/privacy.md`: what is collected, from the schema, and what can be done about it."""

from __future__ import annotations

from telemetry_spool.schema import Field, event_types, fields, pages

_HEAD = """\
# Privacy: what is collected, and what you can do about it

The fields and types below are made from `telemetry_spool/event.schema.json` by
`python -m tests.docs.pages`; a test compares.

Everything that leaves the machine is an event of Flower's own telemetry, byte for byte as Flower
builds it. This package adds no field to it. Flower calls its telemetry optional, anonymous,
transparent and open for feedback; its pages on it are
{pages}.

## What an event contains

"On Flower's pages" says whether those pages mention the field. Where they give a reason, it is
retold here. Fields that no page mentions were found in Flower's code: flwr 1.2 to 1.41 and
flwr-datasets 0.6.
"""

_TITLES = {
    "": "What happened",
    "event_details": "Particulars of this type of event (`event_details`)",
    "context": "Ids and date (`context`)",
    "context.flower": "Which Flower (`context.flower`)",
    "context.package": "Which Flower, from Flower Datasets (`context.package`)",
    "context.hw": "Hardware (`context.hw`)",
    "context.platform": "Operating system and Python (`context.platform`)",
}

_COLUMNS = """\
| field | what it is | why | example | on Flower's pages |
|---|---|---|---|---|
"""

_TYPES = """
## Types of events

`_ENTER` is sent when something begins, `_LEAVE` when it ends. A type that is not here is one that a
newer Flower or your own program made up: `telemetry-spool audit` names it.

| type | what happened |
|---|---|
"""

_TAIL = """
## What goes with an event

A request has the headers `Content-Type`, `User-Agent` (such as `flwr/1.41.0`, from the event) and
`Idempotency-Key` (the SHA-256 of the event, so that a repeated delivery can be known). As with any
connection, who receives it sees the IP address that it comes from. Requests go to the setting
`endpoint` alone, which is Flower's own unless you or your site say otherwise.

With `sink = "ndjson"`, which is for an engine of your own or your site's ([sinks.md](sinks.md)), a
request carries many events. Then `Content-Type` and `Content-Encoding` say so, `User-Agent` names
this package and its version, as it does for an event that names no package, and `Idempotency-Key`
is that of all of them together. With the setting `authorization`, its value goes along.

Receipts, dead letters, the loss ledger and the status stay on this machine.

## See it

```sh
telemetry-spool list                # what is recorded and not sent yet
telemetry-spool show 3f2a91         # exactly what will be sent
telemetry-spool show --explain 3f2a91
telemetry-spool list --state sent   # what left, and when
telemetry-spool audit               # what is not documented, what looks personal
telemetry-spool verify              # whether every line can be read
```

`audit` compares each event with the schema and looks in all of its texts, keys included, for the
name and the home directory of the user, the name of the host, other people's home directories,
e-mail addresses, IP and MAC addresses, and keys and tokens. It marks what it finds: **personal**
for what looks so, **undocumented** for fields, types and values that Flower is not known to send.
With `--json` it also marks **off-page** what Flower sends and its pages do not mention. It looks at
the form of words, so it is a help and no proof.

## Refuse it

```sh
telemetry-spool off                 # record nothing, send nothing; for good, at once
telemetry-spool local               # record, but send nothing by itself
FLWR_TELEMETRY_ENABLED=0            # in the environment: Flower's own switch
DO_NOT_TRACK=1                      # in the environment
```

The most private answer wins, and `telemetry-spool status` names the rule that decided. An
administrator can forbid telemetry for everybody with `mode = "off"` in
`/etc/flwr-telemetry/policy.toml`; nobody can force it on.

With the setting `strict` the uploader sends only what an audit finds clean. Anything else goes to
the dead letters with the reason: `telemetry-spool rejected list` shows it, `telemetry-spool
rejected retry` lets single events go, `telemetry-spool rejected drop` deletes them.

## Delete it

```sh
telemetry-spool rm 3f2a91           # one event
telemetry-spool purge               # what is here; --dry-run shows it first
telemetry-spool source reset        # the source id: the next event makes a new one
telemetry-spool source forget       # everything here under the source id, and the id
```

What Flower has received only Flower can delete: its page asks you to write to
`telemetry@flower.ai` and to name the source id. `source forget` prints that request, filled in.
"""


def privacy_page() -> str:
    """Return `docs/privacy.md`."""
    page = _HEAD.format(pages=" and\n".join(f"<{address}>" for address in pages()))
    for group, title in _TITLES.items():
        page += f"\n### {title}\n\n"
        page += (
            "| field | what it is | why | example | on Flower's pages |\n|---|---|---|---|---|\n"
        )
        page += "".join(_row(field) for field in fields() if _group(field) == group)
    page += _TYPES + "".join(f"| `{name}` | {what} |\n" for name, what in event_types().items())
    return page + _TAIL


def _group(field: Field) -> str:
    return field.path.rpartition(".")[0]


def _row(field: Field) -> str:
    name = field.path.rpartition(".")[2]
    listed = field.source.partition("“")[2].rstrip("”") if field.documented else ""
    place = f"yes: {listed}" if field.documented else "no"
    return f"| `{name}` | {field.what} | {field.why} | `{field.example}` | {place} |\n"
