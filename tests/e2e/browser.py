"""A headless Chromium driven through its DevTools protocol: start, stop, commands, waiting. Not here: what a page must satisfy."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
START_S = 20.0
REPLY_S = 30.0
LOCAL = ("file:", "data:", "blob:")
IDLE = """document.documentElement.dataset.all !== undefined && [...document.querySelectorAll('.plot')].every(
  p => p._fullLayout && p.querySelector('svg') && p._fullLayout.width === p.clientWidth)"""


def executable() -> str | None:
    """Path of an installed Chromium or Chrome."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Tab:
    """One tab: commands, the requests it made, the errors its page reported.

    A tab that is not `watched` reports neither: a page loads faster without, as it does for a reader.
    """

    def __init__(self, socket: ClientConnection, session: str, watched: bool = True) -> None:
        self._socket, self._session, self._number = socket, session, 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        for domain in ("Network", "Runtime", "Log", "Page") if watched else ():
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; events that arrive meanwhile are kept.

        Raises:
            RuntimeError: the browser refuses the command.
            TimeoutError: no reply in 30 s.
        """
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params, "sessionId": self._session}))
        end = time.monotonic() + REPLY_S
        while True:
            message = json.loads(self._socket.recv(timeout=max(0.01, end - time.monotonic())))
            if message.get("id") == self._number and message.get("sessionId") == self._session:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._keep(message)

    def value(self, expression: str) -> Any:
        """Value of a JavaScript expression in the page.

        Raises:
            RuntimeError: the expression throws.
        """
        reply = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in reply:
            raise RuntimeError(f"{expression[:80]}: {reply['exceptionDetails']}")
        return reply["result"].get("value")

    def wait(self, expression: str, seconds: float = 15.0) -> None:
        """Wait until an expression is true.

        Raises:
            TimeoutError: it is not in time.
        """
        end = time.monotonic() + seconds
        while not self.value(expression):
            if time.monotonic() > end:
                raise TimeoutError(f"not true in {seconds} s: {expression}")
            time.sleep(0.05)

    def width(self, pixels: int, height: int = 800) -> None:
        """Set the size of the window; on an open page, wait until its figures are redrawn."""
        self.call("Emulation.setDeviceMetricsOverride", width=pixels, height=height, deviceScaleFactor=1, mobile=False)

    def theme(self, name: str) -> None:
        """Set what the system prefers: light or dark."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, file: Path) -> None:
        """Open a file and wait until all its figures are plotted; requests and errors count from here."""
        self.requests, self.errors = [], []
        self.call("Page.navigate", url=file.resolve().as_uri())
        self.settle()

    def busy_ms(self, file: Path) -> float:
        """Open a file, wait until all its figures are plotted, and return the processor time of its main thread, in milliseconds."""
        self.call("Performance.enable", timeDomain="threadTicks")
        self.open(file)
        found = {m["name"]: float(m["value"]) for m in self.call("Performance.getMetrics")["metrics"]}
        return 1000 * found["TaskDuration"]

    def settle(self) -> None:
        """Wait until every figure is plotted at the present width."""
        self.wait(f"document.readyState === 'complete' && {IDLE}")

    def picture(self, file: Path, selector: str = "body", height: int | None = None) -> None:
        """Save the page as a PNG: all of it, or `height` pixels from the top of an element on."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        top = max(0, int(self.value(f"document.querySelector('{selector}').getBoundingClientRect().top + scrollY")))
        clip = {"x": 0, "y": top, "width": size["width"], "height": min(height or size["height"], size["height"] - top), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(shot["data"]))

    def printed(self) -> bytes:
        """The page as a PDF of its own paper size."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])

    def _keep(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(LOCAL):
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            self.errors.append(json.dumps(params["args"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])


@contextmanager
def browser(profile: Path, *, watched: bool = True) -> Iterator[Tab]:
    """Start a browser with a fresh profile folder, yield a tab, end the browser.

    Raises:
        FileNotFoundError: no Chromium or Chrome is installed.
        TimeoutError: it does not start in 20 s.
    """
    program = executable()
    if program is None:
        raise FileNotFoundError(f"none of {', '.join(NAMES)} is installed")
    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with connect(_address(profile, process), max_size=None, proxy=None) as socket:
            yield Tab(socket, _attached(socket), watched)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    note = profile / "DevToolsActivePort"
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        lines = note.read_text().split() if note.is_file() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise TimeoutError(f"the browser did not start in {START_S} s (exit status {process.poll()})")


def _attached(socket: ClientConnection) -> str:
    def result(number: int, method: str, **params: Any) -> dict[str, Any]:
        socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(socket.recv(timeout=REPLY_S))
            if message.get("id") == number:
                reply: dict[str, Any] = message["result"]
                return reply

    target = result(1, "Target.createTarget", url="about:blank")["targetId"]
    session: str = result(2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    return session
