"""The uploader's settings: names, defaults, what is allowed, and why."""

from __future__ import annotations

from telemetry_spool.settings import (
    Setting,
    absolute_path,
    boolean,
    number,
    one_of,
    size,
    whole_number,
)
from telemetry_spool.writer_settings import DIR, MIB, SPOOL_DIR, WRITER_SETTINGS
from uploader.addresses import endpoint_url, header_value, proxy_url

ENDPOINT = Setting(
    "endpoint",
    "https://telemetry.flower.ai/api/v1/event",
    endpoint_url,
    "an http(s) URL without user name and password",
    "where events are sent",
    "the address that Flower itself sends to",
)
PROXY = Setting(
    "proxy",
    None,
    proxy_url,
    "a URL like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with signs in the password as "
    "%XX",
    "the proxy to the endpoint, whatever HTTPS_PROXY and NO_PROXY say; a password in it is never "
    "shown",
    "the proxy variables of the environment decide",
    secret=True,
)
CA_BUNDLE = Setting(
    "ca_bundle",
    None,
    absolute_path,
    "an absolute path",
    "file or directory with the certificates of the authorities to trust, whatever "
    "REQUESTS_CA_BUNDLE says",
    "the authorities that `requests` trusts",
)
CONCURRENCY = Setting(
    "concurrency",
    4,
    whole_number(1, 64),
    "a whole number from 1 to 64",
    "requests under way at once, at most: how many of them do well is found out from the answers",
    "4 hide most of a round trip and are still polite",
)
CONNECT_TIMEOUT = Setting(
    "connect_timeout",
    10.0,
    number(0.1, 600),
    "a number of seconds from 0.1 to 600",
    "seconds to wait for a connection",
    "longer than any working connection takes",
)
READ_TIMEOUT = Setting(
    "read_timeout",
    60.0,
    number(0.1, 3600),
    "a number of seconds from 0.1 to 3600",
    "seconds that an answer may take, all of it",
    "what Flower waits",
)
RESCAN_INTERVAL = Setting(
    "rescan_interval",
    30.0,
    number(0.1, 3600),
    "a number of seconds from 0.1 to 3600",
    "seconds after which the spool is looked at without a sign from the file system",
    "finds what inotify does not report at a cost that nobody notices",
)
POLL_INTERVAL = Setting(
    "poll_interval",
    5.0,
    number(0.1, 3600),
    "a number of seconds from 0.1 to 3600",
    "seconds after which the spool is looked at where the file system does not report changes: "
    "NFS, Lustre, FUSE and the like, or when inotify has no watches left",
    "soon enough for people, at a cost that nobody notices",
)
ALLOW_INSECURE = Setting(
    "allow_insecure",
    False,
    boolean,
    "true or false",
    "allow an http endpoint that is not on this machine",
    "events would cross the network in the clear",
)
KEEP_SENT = Setting(
    "keep_sent",
    False,
    boolean,
    "true or false",
    "keep the exact bytes of each sent event in its receipt",
    "a receipt without them is a third of the size",
)
STRICT = Setting(
    "strict",
    False,
    boolean,
    "true or false",
    "set events aside in which `telemetry-spool audit` finds something personal or undocumented",
    "what Flower itself sends passes anyway; a newer Flower's or your own program's events may not",
)

SINK = Setting(
    "sink",
    "event",
    one_of("event", "ndjson"),
    "event or ndjson",
    "what a request carries: one event, as Flower sends it, or a batch of events, one a line",
    "what Flower's own endpoint takes",
)
COMPRESSION = Setting(
    "compression",
    "none",
    one_of("none", "gzip", "zstd"),
    "none, gzip or zstd",
    "how the batches of `sink = ndjson` are compressed; zstd needs the extra `fast`",
    "every endpoint takes it, and anybody can read it on the wire",
)
BATCH_EVENTS = Setting(
    "batch_events",
    10_000,
    whole_number(1, 1_000_000),
    "a whole number from 1 to 1000000",
    "events in a batch of `sink = ndjson`, at most",
    "more than a batch of 1 MiB has of Flower's: bytes decide",
)
BATCH_BYTES = Setting(
    "batch_bytes",
    MIB,
    size(4096, 16 * MIB),
    "a size from 4KiB to 16MiB",
    "size of a batch of `sink = ndjson`, before compression, at most",
    "a whole segment in one request, and what web servers take without being asked to",
)
BATCH_SECONDS = Setting(
    "batch_seconds",
    1.0,
    number(0, 3600),
    "a number of seconds from 0 to 3600",
    "seconds that an event may wait for others to go into its batch of `sink = ndjson`",
    "many events of a busy machine go together, and nobody waits for a dashboard",
)
AUTHORIZATION = Setting(
    "authorization",
    None,
    header_value,
    "one line of printable ASCII, like Bearer TOKEN",
    "value of the header Authorization, for an endpoint of your own that wants one; never shown",
    "Flower's endpoint wants none",
    secret=True,
)
TRANSPORT = Setting(
    "transport",
    "auto",
    one_of("auto", "requests", "pycurl"),
    "auto, requests or pycurl",
    "the library that talks to the endpoint; auto is pycurl where the extra `fast` is installed "
    "and its libcurl is 7.88 or newer, else requests",
    "the same requests with the same rules, and the faster of the two where there is a choice",
)
MAX_EVENTS_PER_SECOND = Setting(
    "max_events_per_second",
    None,
    number(0.01, 1_000_000),
    "a number from 0.01 to 1000000",
    "events sent in a second, at most; a batch of `sink = ndjson` goes as a whole",
    "no limit but `concurrency`: an endpoint that has enough says so, and is obeyed",
)

UPLOADER_SETTINGS = (
    ENDPOINT,
    SINK,
    COMPRESSION,
    BATCH_EVENTS,
    BATCH_BYTES,
    BATCH_SECONDS,
    AUTHORIZATION,
    TRANSPORT,
    PROXY,
    CA_BUNDLE,
    CONCURRENCY,
    MAX_EVENTS_PER_SECOND,
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    RESCAN_INTERVAL,
    POLL_INTERVAL,
    ALLOW_INSECURE,
    KEEP_SENT,
    STRICT,
)
ALL_SETTINGS = UPLOADER_SETTINGS + WRITER_SETTINGS
FLAG_SETTINGS = (*UPLOADER_SETTINGS, DIR, SPOOL_DIR)
"""What can be given on the uploader's command line: the limits of writers are not its business."""
