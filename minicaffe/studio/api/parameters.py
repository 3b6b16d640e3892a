"""Parameters of requests: fields of a body and of a query, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from starlette.requests import Request

from ...errors import ConfigError

T = TypeVar("T")
MOST = 10**9


def text(request: Request, name: str, default: str = "") -> str:
    """A text of the query."""
    return request.query_params.get(name, default)


def number(request: Request, name: str, default: int) -> int:
    """A whole number of the query; ConfigError for what is none."""
    return _whole(name, request.query_params.get(name, ""), default)


def numbers(request: Request, name: str) -> list[int]:
    """Whole numbers of the query, between commas; ConfigError for what are none."""
    given = request.query_params.get(name, "")
    return [_whole(name, part, 0) for part in given.split(",")] if given else []


def _whole(name: str, given: str, default: int) -> int:
    if not given:
        return default
    try:
        value = int(given) if len(given) < 12 else MOST + 1
    except ValueError:
        raise ConfigError(f"{name} must be a whole number; got {given!r}") from None
    if abs(value) > MOST:
        raise ConfigError(f"{name} must be at most {MOST}; got {given!r}")
    return value


def chosen(body: Mapping[str, Any], name: str, kind: type[T], default: T | None = None) -> T:
    """A field of a body, of this type; ConfigError if it has another, or is missing and has no default."""
    value = body.get(name, default)
    if value is None:
        raise ConfigError(f"{name} is missing", field=name)
    if type(value) is not kind:
        raise ConfigError(f"{name} must be of type {kind.__name__}; got {value!r}", field=name)
    return value
