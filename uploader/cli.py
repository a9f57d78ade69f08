"""The command `telemetry-uploader`: its command line, or the daemon that `run` turns into."""

from __future__ import annotations

from telemetry_spool.text import print_any_character
from uploader import resident
from uploader.complaints import told_in_one_line


def main() -> None:
    """Run the command; what a person can mend ends in one line on stderr and an exit code."""
    print_any_character()
    with told_in_one_line():
        orders = resident.orders()
        if orders is not None:
            resident.run(orders)
        else:
            from uploader.app import app  # the daemon has no use for it, and it is a third of it

            app()


if __name__ == "__main__":
    main()
