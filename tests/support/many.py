"""Many runs of `telemetry-spool` for the price of one: forks of a process that has it loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tests.support.processes import DEADLINE_SECONDS, Ended, environment

NOBODY = 65534

_RUN = """
import importlib, io, json, os, pkgutil, sys, tempfile
import rich.console, rich.panel, rich.table, typer.rich_utils, typer.completion
import telemetry_spool, telemetry_spool.cli, encodings.idna
for module in pkgutil.walk_packages(telemetry_spool.__path__, "telemetry_spool."):
    importlib.import_module(module.name)
uid, commands = json.loads(sys.argv[1])
# What is loaded late would not be found by somebody who may not read this interpreter.
for late in (["list"], ["doctor"], ["show", "zzz"], ["purge", "--help"]):
    sys.argv = ["telemetry-spool", *late]
    out, err = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = io.StringIO()
    try:
        telemetry_spool.cli.main()
    except SystemExit:
        pass
    sys.stdout, sys.stderr = out, err
ended = []
for arguments in commands:
    said = [tempfile.TemporaryFile() for _ in range(2)]
    child = os.fork()
    if child == 0:
        for number, file in enumerate(said, 1):
            os.dup2(file.fileno(), number)
        if uid:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        sys.argv = ["telemetry-spool", *arguments]
        code = 70
        try:
            telemetry_spool.cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    texts = [os.pread(file.fileno(), 2**20, 0).decode() for file in said]
    ended.append([os.waitstatus_to_exitcode(status), *texts])
print(json.dumps(ended))
"""


def run_many(
    commands: Sequence[Sequence[str]], environ: Mapping[str, str], *, uid: int = 0
) -> list[Ended]:
    """Run each command line to its end, one after the other, as another user if `uid` is given."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps([uid, list(map(list, commands))])],
        env=environment(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return [Ended(*each) for each in json.loads(done.stdout)]
