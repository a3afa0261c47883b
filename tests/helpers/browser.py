"""A page in a headless Chromium, through its DevTools protocol."""

import asyncio
import contextlib
import itertools
import json
import subprocess
import time
import urllib.request

from tornado.websocket import websocket_connect

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1400,1000",
]
# Text, widths of the pictures and number of histograms on the page, also in shadow trees.
LOOK = """
(() => {
  const texts = [], pictures = [];
  let histograms = 0;
  const walk = (node) => {
    if (["STYLE", "SCRIPT", "NOSCRIPT"].includes(node.tagName)) return;
    if (node.nodeType === Node.TEXT_NODE) texts.push(node.textContent.trim());
    if (node.tagName === "IMG") pictures.push(node.naturalWidth);
    if (node.tagName === "g" && node.classList.contains("histogram")) histograms += 1;
    if (node.shadowRoot) node.shadowRoot.childNodes.forEach(walk);
    node.childNodes.forEach(walk);
  };
  walk(document.body);
  return JSON.stringify({texts: texts.filter(Boolean), pictures, histograms});
})()
"""


class Page:
    """One tab; `evaluate` runs JavaScript in it."""

    def __init__(self, connection):
        self.connection = connection
        self.numbers = itertools.count(1)

    async def call(self, method, **parameters):
        number = next(self.numbers)
        await self.connection.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(await self.connection.read_message())
            if answer.get("id") == number:
                return answer["result"]

    async def open(self, url):
        # Another fragment alone would not load the page again.
        await self.call("Page.navigate", url="about:blank")
        await self.call("Page.navigate", url=url)

    async def evaluate(self, code):
        return (await self.call("Runtime.evaluate", expression=code))["result"].get("value")

    async def look(self, url, ready):
        """What a page shows as soon as it satisfies a condition; opened again in between, in the end as it is."""
        for patience in (5, 10, 20, 40, 80, 160):
            await self.open(url)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                # None: between two pages.
                seen = json.loads(await self.evaluate(LOOK) or '{"texts": [], "pictures": [], "histograms": 0}')
                if ready(seen):
                    return seen
                await asyncio.sleep(0.2)
        return seen


@contextlib.asynccontextmanager
async def browse(executable, profile):
    """A page of a new browser with an empty profile in the folder `profile`."""
    process = subprocess.Popen(
        [executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        active = profile / "DevToolsActivePort"
        while not (active.exists() and active.read_text().count("\n")):
            if process.poll() is not None:
                raise RuntimeError(f"{executable} has ended with {process.returncode}")
            await asyncio.sleep(0.05)
        port = active.read_text().splitlines()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            target = next(target for target in json.load(answer) if target["type"] == "page")
        connection = await websocket_connect(target["webSocketDebuggerUrl"], max_message_size=2**28)
        try:
            yield Page(connection)
        finally:
            connection.close()
            # None: closed.
            await connection.read_message()
    finally:
        process.terminate()
        process.wait()
