"""Whether curl can be used here."""

from __future__ import annotations

# Releases before took any bytes for an answer of HTTP 0.9, or do not know what is asked of them.
_OLDEST = (7, 88, 0)


def why_not() -> str:
    """Return why curl cannot be used here, or nothing if it can."""
    try:
        import pycurl
    except ImportError as error:
        return f"pycurl cannot be loaded: {error}"
    number = pycurl.version_info()[2]
    version = (number >> 16, number >> 8 & 0xFF, number & 0xFF)
    if version < _OLDEST:
        return f"libcurl {_dotted(version)} is older than {_dotted(_OLDEST)}"
    return ""


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
