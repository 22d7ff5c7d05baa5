# SPDX-License-Identifier: BSD-3-Clause
"""Chromium without a window, driven over its debugging pipe (Chrome DevTools Protocol), so that a test
sees a page as a person would: its text, its picture, what it asked for and what went wrong in it."""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

from lab import LabError

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--remote-debugging-pipe"]


class Browser:
    """One page. side: the lab's namespace it runs in, None for this one."""

    def __init__(self, lab=None, side=None, width=1280, height=900, mobile=False, scripts=True):
        self.dir = tempfile.mkdtemp(prefix="verge-browser-")
        self.events, self.number, self.pending = [], 0, b""
        ask_r, self.ask = os.pipe()
        self.answers, answer_w = os.pipe()
        prefix = ["ip", "netns", "exec", lab.ns(side)] if lab else []
        shell = f'exec chromium "$@" 3<&{ask_r} 4>&{answer_w}'
        self.child = subprocess.Popen(
            [*prefix, "bash", "-c", shell, "chromium", *FLAGS, "--user-data-dir=" + self.dir,
             "about:blank"], pass_fds=(ask_r, answer_w), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "TMPDIR": self.dir})
        os.close(ask_r)
        os.close(answer_w)
        self.session = None
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target,
                                     flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
                self.call(domain + ".enable")
            self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=2 if mobile else 1, mobile=mobile)
            if not scripts:
                self.call("Emulation.setScriptExecutionDisabled", value=True)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, until):
        """The next message, or None at the time given."""
        while b"\0" not in self.pending:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                return None
            data = os.read(self.answers, 1 << 20)
            if not data:
                raise LabError("chromium has ended")
            self.pending += data
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.ask, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 30
        while True:
            said = self._read(end)
            if said is None:
                raise LabError(f"chromium: no answer to {method}")
            if said.get("id") == self.number:
                if "error" in said:
                    raise LabError(f"chromium: {method}: {said['error']['message']}")
                return said["result"]
            self.events.append(said)

    def wait(self, seconds):
        """Let the page live; what it does is in events."""
        end = time.monotonic() + seconds
        while (said := self._read(end)) is not None:
            self.events.append(said)

    def open(self, url):
        self.call("Page.navigate", url=url)
        end = time.monotonic() + 30
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            said = self._read(end)
            if said is None:
                raise LabError(f"chromium did not load {url}")
            self.events.append(said)

    def html(self):
        """The document as it stands; needs no script."""
        root = self.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        return self.call("DOM.getOuterHTML", nodeId=root)["outerHTML"]

    def js(self, expression):
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in said:
            raise LabError(f"{expression}: {said['exceptionDetails']}")
        return said["result"].get("value")

    def requests(self):
        return [e["params"]["request"]["url"] for e in self.events
                if e["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """Exceptions, and errors in the page's log (a broken content security policy among them)."""
        found = [e["params"]["exceptionDetails"]["text"] for e in self.events
                 if e["method"] == "Runtime.exceptionThrown"]
        return found + [e["params"]["entry"]["text"] for e in self.events
                        if e["method"] == "Log.entryAdded"
                        and e["params"]["entry"]["level"] == "error"]

    def picture(self, path):
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000),
                "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                         clip=clip)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def close(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
        os.close(self.ask)
        os.close(self.answers)
        shutil.rmtree(self.dir, ignore_errors=True)
