"""An offline-first spool for Flower's telemetry.

Importing this package loads nothing else: the start-up file imports it in every Python process
of an environment, so names are resolved when they are first used (PEP 562).
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from telemetry_spool._version import __version__
    from telemetry_spool.flower import install
    from telemetry_spool.spool import EventTooLarge, NotOneLine, Spool, SpoolError
    from telemetry_spool.standalone import event

__all__ = [
    "EventTooLarge",
    "NotOneLine",
    "Spool",
    "SpoolError",
    "__version__",
    "event",
    "install",
]

_HOME = {
    "__version__": "telemetry_spool._version",
    "EventTooLarge": "telemetry_spool.spool",
    "NotOneLine": "telemetry_spool.spool",
    "Spool": "telemetry_spool.spool",
    "SpoolError": "telemetry_spool.spool",
    "event": "telemetry_spool.standalone",
    "install": "telemetry_spool.flower",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
