"""Two files of measurements beside each other: what became faster, what slower, and what only looks so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..checking.table import aligned
from ..errors import DataError
from ..files import read_text
from .report import FORMAT, folded, noted

Told = Mapping[str, Any]
KINDS = ("net", "kernel")


class Row(NamedTuple):
    """Something that both files time, in ms: the spreads before and after."""

    name: str
    before: Told
    after: Told

    @property
    def ratio(self) -> float:
        return self.after["median"] / self.before["median"]

    @property
    def verdict(self) -> str:
        """A change counts where the middle halves of the times do not meet."""
        if self.after["p75"] < self.before["p25"]:
            return "faster"
        return "slower" if self.after["p25"] > self.before["p75"] else "within the spread"


def read(path: str) -> Told:
    """What `bench --json` wrote; DataError for anything else."""
    try:
        found = json.loads(read_text(path))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict) or found.get("kind") not in KINDS:
        raise DataError(f"{path} was not written by minicaffe bench net or kernel with --json")
    if found.get("format") != FORMAT:
        raise DataError(f"{path} has the format {found.get('format')!r}; this program reads {FORMAT}")
    return found


def compare(before_path: str, after_path: str, width: int | None = None) -> str:
    """A table of what both time, then what is different about the machines; DataError if there is nothing."""
    before, after = read(before_path), read(after_path)
    if before["kind"] != after["kind"]:
        raise DataError(f"{before_path} is of a {before['kind']}, {after_path} of a {after['kind']}")
    try:
        rows = list(_rows(before, after))
        notes = list(_differences(before, after))
    except (KeyError, TypeError, AttributeError) as error:
        what = f"{before_path}, {after_path}: a field is missing or of another type: {error}"
        raise DataError(what) from None
    if not rows:
        raise DataError(f"{before_path} and {after_path} time nothing that is the same")
    head = ["", "before ms", "after ms", "after/before", ""]
    cells = [
        [
            row.name,
            f"{row.before['median']:.3f}",
            f"{row.after['median']:.3f}",
            f"{row.ratio:.3f}",
            row.verdict,
        ]
        for row in rows
    ]
    legend = "Medians.  A change counts where the middle halves of the times do not meet."
    table = aligned(head, cells, "<>>><", width=width)
    return "\n".join([table, "", folded([legend, *noted(notes)], width)])


def _rows(before: Told, after: Told) -> Iterator[Row]:
    old, new = dict(_times(before)), dict(_times(after))
    for name, times in old.items():
        if name in new and times["median"] > 0:
            yield Row(name, times, new[name])


def _times(told: Told) -> Iterator[tuple[str, Told]]:
    """Everything that a file times, by a name that is the same in another."""
    if told["kind"] == "kernel":
        for call in told["calls"]:
            for one in call["algorithms"]:
                if one["ms"]:
                    yield f"{call['way']} {call['kernel']} {call['geometry']}: {one['name']}", one["ms"]
        return
    for one in told["contenders"]:
        if one["ms"]:
            yield one["name"], one["ms"]
    for layer in told["layers"]:
        for way in ("forward", "backward"):
            if layer[f"{way}_ms"]:
                yield f"{layer['name']}, {way}", layer[f"{way}_ms"]


def _differences(before: Told, after: Told) -> Iterator[str]:
    """What about the circumstances is not the same."""
    for what in ("machine", "net"):
        old, new = before.get(what, {}), after.get(what, {})
        for key in [*old, *(key for key in new if key not in old)]:
            if old.get(key) != new.get(key):
                yield f"{what}: {key} is {_said(new.get(key))}, was {_said(old.get(key))}"
    if before["kind"] == "net":
        theirs = {one["name"]: one for one in before["contenders"]}
        for one in after["contenders"][1:]:
            now, then = one["of_ours"], theirs.get(one["name"], {}).get("of_ours")
            if now and then:
                yield f"{one['name']} takes {now:.2f} times as long as ours, took {then:.2f}"


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return "not said" if value is None else str(value)
