"""Events at the strangest moments of a process: in signal handlers, at its end, in interpreters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from tests.conftest import Place, run_python
from tests.faults.table import Fault, survives, survives_each

IMPORT = "from telemetry_spool import event\n"

FINALIZER = """
class Keeper:
    def __del__(self, event=event):
        event("LAST")
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A moment, a program that records an event then, and what must have been recorded."""

    what: str
    program: str
    recorded: tuple[str, ...] = ("LAST",)

    @property
    def fault(self) -> Fault:
        """What happens, for the table."""
        then = "the event is recorded" if "LAST" in self.recorded else "the program ends as ever"
        return Fault("concurrency", f"event() {self.what}", then)


ROWS = [
    Row("right before os._exit", 'import os\nevent("LAST")\nos._exit(0)'),
    Row("right before SIGKILL",
        'import os\nif not (child := os.fork()):\n  event("LAST"); os.kill(os.getpid(), 9)\n'
        "os.waitpid(child, 0)"),
    Row("in atexit", 'import atexit\natexit.register(event, "LAST")'),
    Row("when the threads are joined at the end",
        'import threading\nthreading._register_atexit(event, "LAST")'),
    Row("in the finalizer of a global",
        f'event("FIRST"){FINALIZER}keeper = Keeper()', ("FIRST", "LAST")),
    Row("in the finalizer of what a cycle keeps",
        f'event("FIRST"){FINALIZER}keeper = Keeper(); keeper.self = keeper', ("FIRST", "LAST")),
    Row("when the builtins are torn down",
        f'import builtins\nevent("FIRST"){FINALIZER}builtins.keeper = Keeper()', ("FIRST", "LAST")),
    Row("when nothing is left but sys",
        f'import sys\nevent("FIRST"){FINALIZER}sys.keeper = Keeper()', ("FIRST",)),
    Row("for the first time in a finalizer at the end", f"{FINALIZER}keeper = Keeper()", ()),
    Row("in a weak reference's callback",
        'import weakref\nclass A: pass\na = A()\nweakref.finalize(a, event, "LAST")'),
    Row("with an exception that ends the program under way",
        'try:\n  raise SystemExit(0)\nfinally:\n  event("LAST")'),
]  # fmt: skip


@survives_each(row.fault for row in ROWS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what.replace(" ", "-"))
def test_an_event_at_the_end_is_recorded_without_a_word(place: Place, row: Row) -> None:
    """Exit code and output of the program are as they would be without it."""
    done = run_python(IMPORT + row.program, environ=place.environ)

    assert (done.stdout, done.stderr) == ("", "")
    assert tuple(event["event_type"] for event in place.events()) == row.recorded
    assert place.losses() == Counter()


DAEMON_THREAD = """
import sys, threading
started = threading.Event()
def record():
    number = 0
    while True:
        event("E", {"n": number})
        print(number, flush=True)
        number += 1
        started.set()
threading.Thread(target=record, daemon=True).start()
started.wait()
"""


@survives("concurrency", "event() in a daemon thread when the program ends", "no line is torn")
def test_a_daemon_thread_may_record_until_the_end(place: Place) -> None:
    """Every event whose call returned is there; one more may be."""
    done = run_python(IMPORT + DAEMON_THREAD, environ=place.environ)

    returned = len(done.stdout.splitlines())
    recorded = [event["event_details"]["n"] for event in place.events()]
    assert done.stderr == ""
    assert recorded == list(range(len(recorded)))
    assert returned >= 1
    assert returned <= len(recorded) <= returned + 1


STORM = """
import signal
handled = 0
def handle(*_):
    global handled
    handled += 1
    event("HANDLER", {"n": handled})
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
number = 0
while handled < 200 or number < 2000:
    event("MAIN", {"n": number})
    number += 1
signal.setitimer(signal.ITIMER_REAL, 0)
print(number, handled)
"""


@survives(
    "concurrency",
    "event() in the handler of a thousand signals a second, from before the first event",
    "each is recorded once, and the program gets on",
)
def test_a_storm_of_signals_loses_nothing(place: Place) -> None:
    """A handler that interrupted an append does not wait for it: it would wait for itself."""
    done = run_python(IMPORT + STORM, environ=place.environ)

    number, handled = map(int, done.stdout.split())
    kinds = Counter(event["event_type"] for event in place.events())
    assert kinds == Counter(MAIN=number, HANDLER=handled)
    assert place.losses() == Counter()


SUBINTERPRETER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
event("MAIN")
for _ in range(3):
    interpreter = interpreters.create()
    interpreters.run_string(interpreter, "from telemetry_spool import event; event('SUB')")
    interpreters.destroy(interpreter)
event("MAIN")
"""


@survives("concurrency", "event() in a subinterpreter", "it is recorded; the others go on")
def test_a_subinterpreter_may_record(place: Place) -> None:
    """There is nothing that interpreters share but the file."""
    pytest.importorskip("_xxsubinterpreters")

    done = run_python(IMPORT + SUBINTERPRETER, environ=place.environ)

    assert (done.stdout, done.stderr) == ("", "")
    kinds = Counter(event["event_type"] for event in place.events())
    assert kinds == Counter(MAIN=2, SUB=3)


FORK_IN_APPEND = """
import os, signal
from telemetry_spool import Spool, appending
spool = Spool()
spool.append(b'{"n": 0}')
write = appending._write
children = []
def write_and_fork(*arguments, **named):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        signal.pause()
    children.append(child)
    return write(*arguments, **named)
appending._write = write_and_fork
spool.append(b'{"n": 1}')
appending._write = write
spool.append(b'{"n": 2}')
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


@survives(
    "concurrency", "a fork in the middle of an append", "the child has the file, but not its lock"
)
def test_a_child_forked_in_an_append_holds_no_lock(place: Place) -> None:
    """The parent's next event goes into the same segment while the child lives."""
    run_python(FORK_IN_APPEND, environ=place.environ)

    assert place.names() == [place.active().name]
    assert place.lines() == [b'{"n": 0}', b'{"n": 1}', b'{"n": 2}']


FORKS_BESIDE_THREADS = """
import os, threading
stop = threading.Event()
counts = [0] * 4
def record(thread):
    while not stop.is_set():
        event("THREAD", {"t": thread, "n": counts[thread]})
        counts[thread] += 1
threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
children = []
for number in range(30):
    child = os.fork()
    if child == 0:
        event("CHILD", {"n": number})
        os._exit(0)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
stop.set()
for thread in threads:
    thread.join()
assert codes == [0] * 30, codes
print(sum(counts))
"""


@survives(
    "concurrency", "forks while other threads append", "parent's and children's events are whole"
)
def test_forks_beside_appending_threads_lose_nothing(place: Place) -> None:
    """Whatever the threads had locked when the child was made."""
    done = run_python(IMPORT + FORKS_BESIDE_THREADS, environ=place.environ)

    kinds = Counter(event["event_type"] for event in place.events())
    assert kinds == Counter(THREAD=int(done.stdout), CHILD=30)
    assert len(set(place.lines())) == kinds.total()
