"""What requests bring and answers hold: bodies up to a size, JSON, errors with their status."""

from __future__ import annotations

import json as json_text
from typing import Any, NoReturn

import anyio.from_thread
from starlette.requests import Request
from starlette.responses import Response

from ..errors import MiniCaffeError
from ..runs.jsonlines import finite

MOST_JSON_BYTES = 1 << 24  # a prototxt of GoogLeNet has 60 KB
STATUS = 422


class Malformed(MiniCaffeError):
    """A request that is not what it says it is."""

    status = 400


class Missing(MiniCaffeError):
    """Nothing of that name."""

    status = 404


class Busy(MiniCaffeError):
    """It cannot be done now, or not twice."""

    status = 409


class TooLarge(MiniCaffeError):
    """More than is taken."""

    status = 413


def json(data: Any, status: int = 200) -> Response:
    """An answer in JSON, with null in the place of numbers that are not finite."""
    text = json_text.dumps(finite(data), separators=(",", ":"))

    return Response(text, status, media_type="application/json")


def error(found: MiniCaffeError) -> dict[str, Any]:
    """An error as plain data: where, expected, got, do, and the line, column and field that are to blame,
    where they are known."""
    expected, _, got = found.message.partition("; got ")
    told: dict[str, Any] = {
        "where": ": ".join(map(str, found.places)),
        "expected": expected,
        "got": got,
        "do": found.hint,
        "field": found.field,
    }
    for place in found.places:
        if place.line:
            told |= {"line": place.line, "column": place.column}
    return told


def refusal(found: MiniCaffeError) -> Response:
    """The answer for an error."""
    return json({"error": error(found)}, getattr(found, "status", STATUS))


def content(request: Request, most_bytes: int | None = None) -> bytes:
    """The body as it is; TooLarge if it has more than `most_bytes`, whatever is announced.

    The guard has a limit for every request; this is for those who want less.
    """

    async def read() -> bytes:
        parts, length = [], 0
        async for part in request.stream():
            length += len(part)
            if most_bytes is not None and length > most_bytes:
                raise TooLarge(f"a body has at most {most_bytes} bytes", hint="send less")
            parts.append(part)
        return b"".join(parts)

    return anyio.from_thread.run(read)


def body(request: Request) -> dict[str, Any]:
    """The JSON object of a request's body, {} if it has none; Malformed for anything else."""
    raw = content(request, MOST_JSON_BYTES)
    if not raw:
        return {}
    try:
        found = json_text.loads(raw, parse_constant=_no_number)
    except (ValueError, RecursionError) as wrong:
        raise Malformed(f"the body is no JSON: {wrong or 'too deep'}", hint="send a JSON object") from None
    if not isinstance(found, dict):
        raise Malformed(f"the body must be a JSON object; got {type(found).__name__}")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
