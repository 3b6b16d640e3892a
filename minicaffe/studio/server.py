"""The server: listens, says where, and serves until it is stopped."""

from __future__ import annotations

import ipaddress
import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from ..errors import ConfigError
from .app import app
from .guard import LOOPBACK
from .token import token, write_private
from .workspace import Workspace

PORT = 8811
BACKLOG = 512
SHUTDOWN_S = 1  # that requests under way are waited for
OPENS = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={address}">
<title>minicaffe studio</title><a href="{address}">minicaffe studio</a>
"""


def serve(
    workspace: Workspace,
    host: str,
    port: int,
    say: Callable[[str], None],
    *,
    new_token: bool = False,
    browser: bool = True,
) -> None:
    """Serve a workspace until the process is interrupted or told to end.

    host, port  where to listen; port 0 is any that is free
    say         told the address, with its token, once the server can be asked
    """
    secret = token(workspace.scratch, new=new_token)
    listening = listen(host, port)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listening.getsockname()[1]}/#token={secret}"

    made = app(workspace, secret, host)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                say(address)
                made.state.load()
                if browser:
                    open_browser(workspace.scratch, address)

    config = uvicorn.Config(
        made,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    with listening:
        Server(config).run(sockets=[listening])


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; ConfigError if it cannot."""
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigError(
            f"--host {host} --port {port}: {getattr(error, 'strerror', None) or error}"
        ) from None
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
        found.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        found.close()
        what = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"cannot listen at {host}, port {port}: {what}", hint="--port 0 takes any port that is free"
        ) from None
    return found


def open_browser(scratch: Path, address: str) -> None:
    """Open the page if there is a browser with a window.  What it is told to open is a file that only this
    user can read: everybody sees the arguments of a process, and the token would be among them."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if type(browser) is webbrowser.GenericBrowser:  # one in the terminal
        return
    file = scratch / "open.html"
    write_private(file, OPENS.format(address=address))
    browser.open(file.as_uri())
