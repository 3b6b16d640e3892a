"""Forms, as DIGITS takes them: fields and files of a request, or its body where that is no form."""

from __future__ import annotations

from typing import Any, NamedTuple

import anyio.from_thread
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from .. import answers

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


def form(request: Request) -> Form:
    """The form of a request; Malformed for a damaged one."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in FORMS:
        return Form({}, {}, answers.content(request))
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
        raise answers.Malformed(f"the form is damaged: {error.message}") from None
    return Form(fields, sent, b"")
