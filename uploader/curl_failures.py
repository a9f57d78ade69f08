"""What curl's errors mean, in the words and kinds that the uploader has for them."""

from __future__ import annotations

import os
import re
from http import HTTPStatus

import pycurl

from uploader.failures import no_tunnel, without_login
from uploader.outcome import Failure, Trouble

_NOT_TRUSTED = (
    pycurl.E_PEER_FAILED_VERIFICATION,
    pycurl.E_SSL_CACERT,
    pycurl.E_SSL_CACERT_BADFILE,
    pycurl.E_SSL_CERTPROBLEM,
    pycurl.E_SSL_CIPHER,
    pycurl.E_SSL_ISSUER_ERROR,
    pycurl.E_SSL_CRL_BADFILE,
)
_NO_TUNNEL = (pycurl.E_RECV_ERROR, pycurl.E_COULDNT_CONNECT)
# A peer that restarts breaks off the handshake: that is for no operator to mend. What the TLS
# library itself objects to is quoted with its number.
_BROKEN_OFF = re.compile("unexpected eof|SSL_ERROR_SYSCALL|SSL_ERROR_ZERO_RETURN|reset by peer")


def failure(code: int, words: str, system_error: int = 0, connect_status: int = 0) -> Failure:
    """Turn curl's error into a failure.

    `system_error` is the errno of a connection that did not come about, and `connect_status` is
    what a proxy said to CONNECT; both are 0 if there was none.
    """
    refused = code in _NO_TUNNEL and connect_status not in (0, HTTPStatus.OK)
    if code == pycurl.E_COULDNT_CONNECT and system_error and not refused:
        words = f"{words}: {os.strerror(system_error)}"
    trouble = no_tunnel(connect_status) if refused else _trouble(code, words)
    return Failure(trouble, f"curl: ({code}) {without_login(words)}")


def wrong_setting(error: Exception) -> Failure:
    """Say of a URL or a CA bundle that it cannot be meant."""
    return Failure(Trouble.CONFIGURATION, f"{type(error).__name__}: {without_login(str(error))}")


def took_too_long(what: str) -> Failure:
    """Say that a deadline of the uploader's own has passed."""
    return Failure(Trouble.NETWORK, f"TimeoutError: {what}")


def _trouble(code: int, words: str) -> Trouble:
    if code in _NOT_TRUSTED:
        return Trouble.TLS
    if code == pycurl.E_SSL_CONNECT_ERROR and not _BROKEN_OFF.search(words):
        return Trouble.TLS
    return Trouble.CONFIGURATION if code == pycurl.E_URL_MALFORMAT else Trouble.NETWORK
