"""What requests carry besides JSON: the body as it is, and the fields and files of forms."""

from __future__ import annotations

from typing import Any, NamedTuple

import anyio.from_thread
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from ...errors import ConfigError

MOST_FILES = 200
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


class Form(NamedTuple):
    """fields, and files by field: names and contents; content: the body of a request that is no form."""

    fields: dict[str, str]
    sent: dict[str, list[tuple[str, bytes]]]
    content: bytes

    def text(self, name: str) -> str:
        """A field; "" if it is missing."""
        return self.fields.get(name, "")

    def files(self, name: str) -> list[tuple[str, bytes]]:
        """The files of a field."""
        return self.sent.get(name, [])


def content(request: Request) -> bytes:
    """The body, as it is; ConfigError for an empty one.  The guard has limited its length."""
    found: bytes = anyio.from_thread.run(request.body)
    if not found:
        raise ConfigError("the request has no body", hint="send an image as the body")
    return found


def form(request: Request) -> Form:
    """The form of a request; ConfigError for a damaged one."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in FORMS:
        return Form({}, {}, anyio.from_thread.run(request.body))
    return anyio.from_thread.run(_read, request)


async def _read(request: Request) -> Form:
    fields: dict[str, str] = {}
    sent: dict[str, list[tuple[str, bytes]]] = {}
    try:
        async with request.form(max_files=MOST_FILES) as found:
            for name, value in found.multi_items():
                if isinstance(value, UploadFile):
                    entry: Any = (value.filename or name, await value.read())
                    sent.setdefault(name, []).append(entry)
                else:
                    fields[name] = value
    except MultiPartException as error:
        raise ConfigError(f"the form is damaged: {error.message}") from None
    return Form(fields, sent, b"")
