"""`minicaffe studio` as a process: started, asked, killed, started again at the same address."""

from __future__ import annotations

import select
import subprocess
import time
from pathlib import Path

import httpx

from ..support.running import start

START_S = 30


class Server:
    """A server of a workspace that listens.

    address  with the token, as it was printed; url: without; token
    """

    def __init__(self, folder: Path, *flags: object, port: int = 0) -> None:
        self.folder = folder
        self.flags = flags
        self.process: subprocess.Popen[str] = self._started(port)
        self.url, _, self.token = self.address.partition("/#token=")
        self.port = int(self.url.rpartition(":")[2])

    def _started(self, port: int) -> subprocess.Popen[str]:
        process = start("studio", self.folder, "--port", port, "--no-browser", *self.flags, cwd=self.folder)
        assert process.stdout is not None and process.stderr is not None
        if not select.select([process.stdout], [], [], START_S)[0]:
            process.kill()
            raise AssertionError("the server does not say where it is")
        self.address = process.stdout.readline().strip()
        if not self.address:
            raise AssertionError(f"the server ended: {process.stderr.read()}")
        return process

    def ask(self, method: str, path: str, **options) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **options)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def again(self) -> None:
        """Start it again, at the same port, with the same token."""
        before = time.monotonic()
        while True:
            try:
                self.process = self._started(self.port)
                return
            except AssertionError:
                if time.monotonic() - before > START_S:
                    raise
                time.sleep(0.2)
