"""What looks personal is found in a text, and what only resembles it is not."""

from __future__ import annotations

import getpass
import os
import pwd
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from telemetry_spool.owner import owner_of
from telemetry_spool.personal import Owner, traces

ALICE = Owner(
    user_names=frozenset({"alice", "Alice Liddell"}),
    homes=frozenset({"/data/people/alice"}),
    host_names=frozenset({"gpu-box", "gpu-box.lab.example.org"}),
    macs=frozenset({"02420a0000ff"}),
)

USER = "the name of this user"
OWN_HOME = "the home directory of this user"
HOME = "a home directory"
HOST = "the name of this host"
EMAIL = "an e-mail address"
IP = "an IP address"
MAC = "a MAC address"
SECRET = "a key or token"


@pytest.mark.parametrize(
    ("text", "looks_like", "words"),
    [
        ("alice", USER, "alice"),
        ("run of Alice, again", USER, "Alice"),
        ("alice_cifar10", USER, "alice"),
        ("by ALICE LIDDELL", USER, "ALICE LIDDELL"),
        ("/data/people/alice/mnist", OWN_HOME, "/data/people/alice"),
        ("path=/data/people/alice", OWN_HOME, "/data/people/alice"),
        ("/home/bob/data.csv", HOME, "/home/bob"),
        ("'/home/bob'", HOME, "/home/bob"),
        ("/mnt/nfs/home/bob/x", HOME, "/mnt/nfs/home/bob"),
        ("/Users/carol/Desktop", HOME, "/Users/carol"),
        ("file:///home/bob/x", HOME, "/home/bob"),
        ("C:\\Users\\dave\\x", HOME, "C:\\Users\\dave"),
        ("C:\\\\Users\\\\dave", HOME, "C:\\\\Users\\\\dave"),
        ("d:/Users/dave", HOME, "d:/Users/dave"),
        ("on gpu-box", HOST, "gpu-box"),
        ("GPU-BOX.other.example.org", HOST, "GPU-BOX"),
        ("gpu-box.lab.example.org:9092", HOST, "gpu-box.lab.example.org"),
        ("mail bob.b+x@example.co.uk!", EMAIL, "bob.b+x@example.co.uk"),
        ("<bob@example.org>", EMAIL, "bob@example.org"),
        ("10.1.2.3", IP, "10.1.2.3"),
        ("grpc://192.168.0.17:9092", IP, "192.168.0.17"),
        ("(was 8.8.8.8).", IP, "8.8.8.8"),
        ("fe80::42:aff:fe00:2", IP, "fe80::42:aff:fe00:2"),
        ("[2001:db8::1]:9092", IP, "2001:db8::1"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", IP, "2001:0db8:85a3:0000:0000:8a2e:0370:7334"),
        ("::ffff:10.1.2.3", IP, "::ffff:10.1.2.3"),
        ("02:42:0a:00:00:02", MAC, "02:42:0a:00:00:02"),
        ("02-42-0A-00-00-02", MAC, "02-42-0A-00-00-02"),
        ("0242.0a00.0002", MAC, "0242.0a00.0002"),
        ("c232ab00-9414-11ec-b3c8-02420a0000ff", MAC, "02420a0000ff"),
        ("ghp_" + "a1B2" * 9, SECRET, "ghp_" + "a1B2" * 9),
        ("hf_AbCdEfGhIjKlMnOpQrStUvWxYz", SECRET, "hf_AbCdEfGhIjKlMnOpQrStUvWxYz"),
        ("key=AKIAIOSFODNN7EXAMPLE", SECRET, "AKIAIOSFODNN7EXAMPLE"),
        ("0123456789abcdef0123456789abcdef01234567", SECRET, "0123456789abcdef" * 2 + "01234567"),
        ("t0k3nR4nd0mB4s364Val9eZ1x", SECRET, "t0k3nR4nd0mB4s364Val9eZ1x"),
        ("https://bob:hunter2@example.org/", SECRET, "https://bob:hunter2@"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", SECRET, "-----BEGIN OPENSSH PRIVATE KEY-----"),
    ],
)
def test_what_looks_personal_is_found(text: str, looks_like: str, words: str) -> None:
    """Once, with the words that give it away."""
    assert [(trace.looks_like, trace.words) for trace in traces(text, ALICE)] == [
        (looks_like, words)
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "ray", "malice", "alicet", "0.1.0-alices", "PYTHON_API_RUN_SIMULATION_ENTER"),
        *("https://example.org/home/index", "home/user", "/usr/local/home", "/homes/x", "/home/"),
        *("C:\\Users\\Public\\Documents", "/Users/Shared/x"),
        *("1.41.0", "2.3.1.dev20261122", "1.2.3.4.5", "v1.2.3.4", "300.1.1.1", "127.0.0.1", "::1"),
        *("12:34:56", "2026-11-22T19:20:04.123456+00:00", "std::vector", "a::b", "::", "12::30"),
        *("26-11-22-19-20-04", "0123.4567.8901", "1:2:3:4:5:6:7"),
        *("user@localhost", "@alicex", "bob@", "model@v2"),
        *("8f1f0f6c-7d43-4b1e-9f0a-3f2a91c0de42", "12345678901234567890123456789012345678901"),
        *("google/vit-base-patch16-224-in21k", "HuggingFaceFW/fineweb-edu-score-2"),
        *("COCO-Captions-2017-validation", "InnerDirichletPartitioner", "ResNet50_ImageNet"),
        *("the quick brown fox jumps", "sk-learn", "hf_hub", "xoxo-1"),
    ],
)
def test_what_only_resembles_it_is_not_found(text: str) -> None:
    """A false alarm costs trust."""
    assert traces(text, ALICE) == ()


SYSTEMS = [
    *("5.15.0-1051-aws", "6.5.0-35-generic", "5.15.90.1-microsoft-standard-WSL2", "5.10.102.1"),
    *("4.18.0-513.11.1.el8_9.x86_64", "6.1.21-v8+", "6.6.32-1-lts", "6.18.44-fc-v669"),
    "Linux-5.15.90.1-microsoft-standard-WSL2-x86_64-with-glibc2.35",
    "macOS-13.5-arm64-arm-64bit",
    *("#56~20.04.1-Ubuntu SMP Tue Nov 28 15:43:31 UTC 2023", "#1 SMP PREEMPT_DYNAMIC @0"),
    "#1 SMP PREEMPT_DYNAMIC Debian 6.1.90-1 (2024-05-03)",
    "Darwin Kernel Version 22.6.0: Wed Jul 5 22:21:53 PDT 2023; root:xnu-8796/RELEASE_ARM64_T6020",
    *("10.0.19045", "CPython", "x86_64", "64bit", "ELF", "flwr", "flwr-nightly", "ray"),
]


@pytest.mark.parametrize("text", SYSTEMS)
def test_a_system_as_it_was_delivered_says_nothing_personal(text: str) -> None:
    """Even where user and host are called as everybody's are."""
    names = frozenset({"root", "ubuntu", "ray", "linux", "debian", "vm", "fc", "flwr"})

    assert traces(text, Owner(user_names=names, host_names=names), free=False) == ()


@pytest.mark.parametrize("name", ["root", "ubuntu", "ray", "vm"])
def test_in_a_users_own_words_such_a_name_is_a_name(name: str) -> None:
    """Somebody put it there."""
    assert traces(f"started by {name}", Owner(user_names=frozenset({name}))) != ()


def test_a_kernel_that_somebody_named_after_the_host_gives_it_away() -> None:
    """Names that are nobody else's are found in a system's own words too."""
    assert [trace.looks_like for trace in traces("6.1.0-gpu-box+", ALICE, free=False)] == [HOST]


def test_a_name_in_a_path_or_an_address_is_found_once() -> None:
    """As what it is part of."""
    text = "/data/people/alice/x alice@example.org"

    assert [trace.looks_like for trace in traces(text, ALICE)] == [OWN_HOME, EMAIL]


def test_each_kind_is_named_once() -> None:
    """A list of a thousand addresses is one thing to know."""
    found = traces("10.1.2.3 10.1.2.4 bob@example.org", ALICE)

    assert [(trace.looks_like, trace.words) for trace in found] == [
        (EMAIL, "bob@example.org"),
        (IP, "10.1.2.3"),
    ]


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a",
            "a.",
            "a@",
            "1.",
            "1:",
            "ab:",
            "/a",
            "/home",
            "C:\\",
            "A1b",
            "eyJ",
            "a+",
            "-",
            "://",
        ),
        *("0-", "aa-", "x://y:", "/-", "@a-", "sk-", "=" * 3, "\\Users"),
    ],
)
def test_a_megabyte_of_anything_is_searched_in_a_moment(piece: str) -> None:
    """Nobody's event can keep an uploader busy. The limit is a hundred times what is needed."""
    text = (piece * (2**20 // len(piece)))[: 2**20]
    begun = time.process_time()

    traces(text, ALICE)

    assert time.process_time() - begun < 60


def test_the_owner_is_who_runs_this() -> None:
    """With the names that the system knows."""
    me = owner_of(os.getuid())

    assert pwd.getpwuid(os.getuid()).pw_name in me.user_names
    assert os.uname().nodename in me.host_names
    assert os.path.expanduser("~").rstrip("/") in me.homes
    assert getpass.getuser() in me.user_names
    assert "" not in me.user_names | me.homes | me.host_names


@pytest.mark.skipif(not Path("/sys/class/net").is_dir(), reason="Linux shows devices there")
def test_this_machines_mac_address_is_found_in_a_uuid_made_of_it() -> None:
    """Version 1 of a UUID ends with it."""
    me = owner_of(os.getuid())
    if not me.macs:
        pytest.skip("no network device has an address here")
    mac = min(me.macs)

    made = str(uuid.uuid1(node=int(mac, 16)))

    assert [trace.looks_like for trace in traces(made, me)] == [MAC]


def test_an_account_that_does_not_exist_breaks_nothing() -> None:
    """A container may run under any number."""
    assert owner_of(4_000_000_000 - 1).host_names == owner_of(os.getuid()).host_names


def test_the_owner_is_found_without_a_socket() -> None:
    """The command line opens none."""
    code = (
        "import sys; sys.modules['socket'] = None\n"
        "from telemetry_spool.owner import owner_of; owner_of(0)"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
