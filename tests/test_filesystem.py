"""Which file systems keep changes from us."""

from __future__ import annotations

from pathlib import Path

import pytest

from uploader.filesystem import is_silent, parse_mount, silent_type, type_of

MOUNTS = [
    ("/", "overlay"),
    ("/home", "autofs"),
    ("/home", "nfs4"),
    ("/home/local", "ext4"),
    ("/scratch", "lustre"),
]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/spool/flwr-telemetry", "overlay"),
        ("/home/ada/.local/state", "nfs4"),
        ("/home/local/ada", "ext4"),
        ("/home/locals", "nfs4"),
        ("/homes", "overlay"),
        ("/scratch", "lustre"),
    ],
)
def test_the_innermost_mount_counts_and_of_several_the_last(path: str, kind: str) -> None:
    """A mount point is a whole path, not the beginning of a name."""
    assert type_of(path, MOUNTS) == kind


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "lustre", "gpfs", "9p", "fuse", "fuse.sshfs", "fuse.bindfs"]
)
def test_what_others_change_is_not_reported(kind: str) -> None:
    """Another host, or another process behind the mount."""
    assert is_silent(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk"])
def test_what_only_this_kernel_changes_is_reported(kind: str) -> None:
    """Overlay is a container's; fuseblk is a disk, NTFS for one."""
    assert not is_silent(kind)


def test_a_line_of_mountinfo_is_understood() -> None:
    """With and without optional fields, and with a space in the path."""
    assert parse_mount(
        r"36 35 98:0 / /mnt/my\040disk rw,noatime shared:1 master:2 - nfs4 server:/x rw"
    ) == ("/mnt/my disk", "nfs4")
    assert parse_mount("27 1 0:5 / / rw - overlay overlay rw") == ("/", "overlay")


def test_a_directory_of_this_machine_is_looked_up(tmp_path: Path) -> None:
    """Through links, and also where the directory is not there yet."""
    (tmp_path / "link").symlink_to(tmp_path)

    assert silent_type(tmp_path / "link" / "absent") == silent_type(tmp_path)
