"""Inside a service's sandbox: spool one event, send it, and see that nothing is left.

`python -m uploader.service.probe ENDPOINT DIRECTORY`. Whatever the settings say, the event goes to
ENDPOINT, which is on this machine, and everything is kept in DIRECTORY.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from telemetry_spool.paths import Directories
from telemetry_spool.segment import event_id
from telemetry_spool.spool import Spool
from telemetry_spool.writer_settings import writer_config
from uploader import config
from uploader.once import Ending, drain

EVENT = b'{"event_type": "SELF_TEST", "event_details": {}, "context": {}}'
_WAIT_SECONDS = 10.0


def main(endpoint: str, directory: str) -> int:
    """Return 0 if all went well; otherwise say on stderr, in one line, what did not."""
    root = Path(directory)
    directories = Directories(root, root / "spool")
    Spool(writer_config()._replace(directories=directories)).append(EVENT)
    loaded = replace(
        config.load({}),
        directories=directories,
        mode_file=None,
        endpoint=endpoint,
        direct=True,
        proxy=None,
    )
    result = drain(loaded, _WAIT_SECONDS, lambda _: None)
    left = [path.name for path in directories.spool.glob("*.jsonl")]
    if result.ending is Ending.DRAINED and not left and not result.rejected:
        return 0
    sys.stderr.write(f"the test event {event_id(EVENT)[:12]} was kept: {result.reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
