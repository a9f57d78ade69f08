"""A real headless Chromium, driven through two pipes: nothing listens, nothing else is needed."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import DEADLINE_SECONDS

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests run as root, and what is loaded is ours
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def program() -> str | None:
    """Return the path of Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


class BrowserError(AssertionError):
    """Chromium answered with an error, or not at all."""


class Replaced(BrowserError):
    """The page was loaded again before it could answer."""


class Browser:
    """A running Chromium that speaks the DevTools protocol over pipes."""

    def __init__(self, reading: int, writing: int) -> None:
        """Read messages from one descriptor, write them to the other."""
        self._reading, self._writing = reading, writing
        self._buffer = b""
        self._last_id = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method and return its result; what happens meanwhile is kept in `events`."""
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        _write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next_message()
            if answer.get("id") == self._last_id:
                if "error" in answer:
                    gone = "navigated" in answer["error"]["message"]
                    raise (Replaced if gone else BrowserError)(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def next_message(self) -> dict[str, Any]:
        """Wait for a message and return it; an event is kept in `events`, too."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._reading], [], [], left)[0]:
                raise BrowserError("Chromium says nothing")
            piece = os.read(self._reading, 2**20)
            if not piece:
                raise BrowserError("Chromium has ended")
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    def tab(self) -> Tab:
        """Open an empty tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Tab(self, target, session)


class Tab:
    """A tab of a browser."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        """Take a target to which a session is attached."""
        self._browser, self._target, self._session = browser, target, session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of this tab."""
        return self._browser.call(method, self._session, **parameters)

    def close(self) -> None:
        """Close it."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def look(
        self, width: int = 1200, height: int = 900, *, dark: bool = False, print_: bool = False
    ) -> None:
        """Take a size in CSS pixels, and a theme of the system's."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.call(
            "Emulation.setEmulatedMedia",
            media="print" if print_ else "",
            features=[theme, still],
        )

    def open(self, file: Path) -> None:
        """Load a file and wait until that has happened."""
        self._browser.events.clear()
        self.call("Page.navigate", url=file.as_uri())
        self.wait_for("Page.loadEventFired")

    def wait_for(self, method: str) -> dict[str, Any]:
        """Wait until this tab says that something has happened since the last `open`."""
        while True:
            for event in self._events(method):
                return event
            self._browser.next_message()

    def evaluate(self, expression: str) -> Any:
        """Return what an expression is in the page; it may be a promise.

        A page that is loaded again meanwhile is asked again.
        """
        try:
            done = self.call(
                "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
            )
        except Replaced:
            return self.evaluate(expression)
        if "exceptionDetails" in done:
            raise BrowserError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other: characters, or names as `Tab` and `Enter`."""
        for key in keys:
            name, code = _KEYS.get(key, (key, 0))
            stroke = {"key": name, "windowsVirtualKeyCode": code}
            text = {"Enter": "\r", "Space": " "}.get(key, key if len(key) == 1 else "")
            self.call(
                "Input.dispatchKeyEvent",
                type="keyDown" if text else "rawKeyDown",
                text=text,
                **stroke,
            )
            self.call("Input.dispatchKeyEvent", type="keyUp", **stroke)

    def complaints(self) -> list[str]:
        """Return what the console has heard since the last `open`: errors, warnings, refusals."""
        said = [event["params"]["entry"]["text"] for event in self._events("Log.entryAdded")]
        said += [str(event["params"]) for event in self._events("Runtime.consoleAPICalled")]
        return said + [str(event["params"]) for event in self._events("Runtime.exceptionThrown")]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last `open`.

        Without those that the page's policy refused: they are announced, and nothing is sent.
        """
        refused = {
            event["params"]["requestId"]
            for event in self._events("Network.loadingFailed")
            if event["params"].get("blockedReason") == "csp"
        }
        return [
            event["params"]["request"]["url"]
            for event in self._events("Network.requestWillBeSent")
            if event["params"]["requestId"] not in refused
        ]

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, to a PNG file."""
        done = self.call("Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole))
        file.write_bytes(base64.b64decode(done["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": size | {"scale": 1}}

    def _events(self, method: str) -> Iterator[dict[str, Any]]:
        for event in self._browser.events:
            if event["method"] == method and event.get("sessionId") == self._session:
                yield event


_KEYS = {
    "Tab": ("Tab", 9),
    "Enter": ("Enter", 13),
    "Escape": ("Escape", 27),
    "Space": (" ", 32),
    "ArrowDown": ("ArrowDown", 40),
}


# Chromium reads commands from descriptor 3 and writes to 4.
_LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Run Chromium with a profile of its own."""
    to_browser, from_us = map(_high, os.pipe())
    from_browser, to_us = map(_high, os.pipe())
    executable = program()
    assert executable is not None
    arguments = [executable, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", _LAUNCHER, str(to_browser), str(to_us), *arguments],
        env=os.environ | {"HOME": str(profile)},
        pass_fds=(to_browser, to_us),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(to_us)
    try:
        browser = Browser(from_browser, from_us)
        yield browser
        with suppress(BrowserError, BrokenPipeError):
            browser.call("Browser.close")
    finally:
        os.close(from_us)  # without its commands it ends by itself
        os.close(from_browser)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _high(descriptor: int) -> int:
    """Move a descriptor out of the way of 3 and 4."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
