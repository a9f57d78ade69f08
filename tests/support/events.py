"""Events as Flower makes them, with what a test wants to choose by."""

from __future__ import annotations

import json


def event(
    event_type: str = "CLIENTAPP_ENTER",
    *,
    date: str = "2026-03-10T12:00:00+00:00",
    source: str = "11111111-1111-4111-8111-111111111111",
    cluster: str = "22222222-2222-4222-8222-222222222222",
    version: str = "1.41.0",
    details: object = None,
) -> bytes:
    """Return the line of an event."""
    return json.dumps(
        {
            "event_type": event_type,
            "event_details": {} if details is None else details,
            "context": {
                "source": source,
                "cluster": cluster,
                "date": date,
                "flower": {"package_name": "flwr", "package_version": version},
            },
        }
    ).encode()
