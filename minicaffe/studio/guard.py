"""The guard in front of the server: who may ask, how much, and what browsers may do with the answers.

Nothing that a foreign page can make a browser send carries any right: there is no cookie, the token comes
in a header that only our own page sets, and a name of another machine that leads here (DNS rebinding) is
refused.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import MiniCaffeError
from . import answers
from .token import is_right

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_BYTES = 1 << 26  # of a body
MOST_UPLOAD_BYTES = (1 << 32) + (1 << 20)  # of a body that brings a data set
UPLOADS = ("/api/uploads/", "/datasets/images/")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
SEALS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
}


class Unauthorized(MiniCaffeError):
    status = 401


class Forbidden(MiniCaffeError):
    status = 403


class Guard:
    """An ASGI application around another.

    token   what requests must bring, except those for `open`
    open    the paths of files that hold no secret
    host    the address that the server listens at: if only this machine reaches it, requests must name it so
    """

    def __init__(self, app: ASGIApp, token: str, open: Collection[str], host: str) -> None:
        self.app = app
        self.token = token
        self.open = frozenset(open)
        self.local = host in LOOPBACK
        self.hosts = {*LOOPBACK, host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        sealed = _sealing(send, public=scope["path"] in self.open)
        try:
            self.check(scope)
        except MiniCaffeError as error:
            await answers.refusal(error)(scope, receive, sealed)
            return
        await self.app(scope, _limited(receive, _most_bytes(scope["path"])), sealed)

    def check(self, scope: Scope) -> None:
        """Refuse what does not come from our own page, or from somebody who has the token."""
        headers = Headers(scope=scope)
        if not self.is_ours(headers.get("host", "")):
            raise answers.Malformed(
                f"the server is asked for by another name; got {headers.get('host', '')[:100]!r}",
                hint="open the address that minicaffe studio printed",
            )
        if scope["method"] in ("GET", "HEAD") and scope["path"] in self.open:
            return
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise Forbidden("a page of another site asks", hint="open the studio itself")
        origin = headers.get("origin")
        if origin is not None and not self.is_ours(origin.partition("://")[2]):
            raise Forbidden(f"a page of another site asks; got origin {origin[:100]!r}")
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not is_right(given.strip(), self.token):
            raise Unauthorized(
                "the token is missing or wrong",
                hint="open the address that minicaffe studio printed, or send Authorization: Bearer TOKEN",
            )
        most, length = _most_bytes(scope["path"]), headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:20]) > most:
            raise answers.TooLarge(f"a body has at most {most} bytes; got {length[:20]!a}")

    def is_ours(self, host: str) -> bool:
        """Whether a host, with or without a port, is this server.  At an address that other machines reach,
        any address in numbers is: a name that somebody else controls is none."""
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        name = name.strip("[]").lower()
        if name in self.hosts:
            return True
        if self.local:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _most_bytes(path: str) -> int:
    return MOST_UPLOAD_BYTES if path.startswith(UPLOADS) else MOST_BYTES


def _limited(receive: Receive, most: int) -> Receive:
    """The same messages; TooLarge once their bodies have more than `most` bytes, whatever was announced."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise answers.TooLarge(f"a body has at most {most} bytes", hint="send less")
        return message

    return limited


def _sealing(send: Send, *, public: bool) -> Send:
    """Answers with the headers that keep browsers from doing what is not meant; answers to requests with the
    token are kept by nobody unless they say so."""

    async def sealed(message: Any) -> None:
        if message["type"] == "http.response.start":
            present = {name for name, _ in message["headers"]}
            extra = SEALS | {b"cache-control": b"no-cache" if public else b"no-store"}
            new = [(name, value) for name, value in extra.items() if name not in present]
            message = message | {"headers": [*message["headers"], *new]}
        await send(message)

    return sealed
