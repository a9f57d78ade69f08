"""Whether inotify, which tells the uploader of changes, has a place left for one more."""

from __future__ import annotations

import ctypes
import os
import sys

_IN_CREATE = 0x100


def inotify_problem(directory: str) -> str | None:
    """Try to watch a directory; return what speaks against it, None if nothing does.

    None too on systems without inotify.
    """
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        return os.strerror(ctypes.get_errno())
    try:
        if library.inotify_add_watch(descriptor, os.fsencode(directory), _IN_CREATE) < 0:
            return os.strerror(ctypes.get_errno())
        return None
    finally:
        os.close(descriptor)
