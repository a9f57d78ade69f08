"""Close what curl has open without waiting for the name server."""

from __future__ import annotations

import threading
from typing import Any

# Closing takes a thousandth of it, unless the system's resolver is still at a name: libcurl 8.20
# and later wait for that, for minutes, and pycurl cannot tell them not to.
_PATIENCE_SECONDS = 0.5


def close(multi: Any) -> None:
    """Close a multi handle; what takes long is left to a thread that the process may end with."""
    thread = threading.Thread(target=multi.close, name="closing", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the user may have no more threads
        multi.close()
    else:
        thread.join(_PATIENCE_SECONDS)
