"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Result = dict[str, Any]
Results = dict[str, Result]  # by unit


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def spelled(spread: dict[str, Any] | None, factor: float = 1.0) -> str:
    """Median (p25 to p75), to three digits."""
    if not spread or spread.get("median") is None:
        return "-"
    low, middle, high = (digits(factor * spread[key]) for key in ("p25", "median", "p75"))
    return f"{middle} ({low} to {high})"


def digits(value: float | None) -> str:
    """The first three of them."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".") if abs(value) >= 1e-3 or not value else f"{value:.2g}"


def errors(results: Results) -> list[str]:
    """A line for every unit that failed."""
    failed = [f"- {unit}: {result['error']}" for unit, result in results.items() if "error" in result]
    return [*failed, ""] if failed else []


def in_a_line(error: BaseException) -> str:
    """What an error says, for the place of the result."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
