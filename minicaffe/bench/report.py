"""What a contest found, as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checking.table import aligned, wrapped
from ..checking.timing import LayerTime, Spread, Throughput
from ..checking.timing_report import batch, machine, plain, rate, shapes
from .contest import TOLERANCE, Outcome, Standing, medians
from .roof import Roof
from .subject import Subject

FORMAT = 1  # of the JSON
WHOLE = ["", "median ms", "p25", "p75", "least", "processor ms", "of ours", "p25", "p75", ""]
LEAVING = ["p75", "p25", "", "least", "processor ms", "p75", "p25"]  # where the terminal is narrow
LEGEND = [
    "ms: of counted steps; processor ms: of all threads together, waiting ones that spin included;"
    " of ours: turn by turn, how many times as long as the first row's."
]


def whole(outcome: Outcome, width: int | None = None) -> str:
    """A row per contender, then why others have none; for a terminal of this width."""
    ours, rows, notes = outcome.standings[0], [], []
    for standing in outcome.standings:
        record = standing.record
        if record.error or not record.blocks:
            notes.append(f"{record.name}: {record.error or 'no turn'}")
            continue
        s, share = Spread.of(record.seconds), np.percentile(record.ratios(ours.record), (50, 25, 75))
        cells = [f"{ms:.3f}" for ms in (s.median, s.p25, s.p75, s.min, 1e3 * record.processor_s)]
        rows.append([record.name, *cells, *(f"{value:.2f}" for value in share), standing.version])
        if not standing.agrees:
            notes.append(
                f"{record.name} computes something else: its first outputs differ by"
                f" {standing.difference:.1e} of the largest value, where {TOLERANCE:g} is allowed"
            )
    table = aligned(WHOLE, rows, "<" + 8 * ">" + "<", width=width, leaving=LEAVING)
    return "\n".join([table, "", folded([*LEGEND, *noted([*notes, *outcome.notes])], width)])


def noted(notes: Sequence[str]) -> list[str]:
    return [f"Note: {note}" for note in notes]


def folded(lines: Sequence[str], width: int | None) -> str:
    """Sentences as lines that fit the terminal."""
    return "\n".join(line for sentence in lines for line in wrapped(sentence, width))


def by_layer(
    outcome: Outcome, roof: Roof, *, names: Sequence[str] = (), width: int | None = None, sort: bool = False
) -> str:
    """A row per layer: our times, what of the roof they reach, and the times of rivals that tell theirs."""
    told = [standing for standing in outcome.standings if standing.layers]
    ways = ["forward"] + ([] if outcome.net.forward_only else ["backward"])
    head = [
        "layer",
        "type",
        "top",
        *(cell for way in ways for cell in (f"{way} ms", "GFLOP/s", "GB/s", "of roof")),
    ]
    theirs = [f"{standing.record.name} {way}" for standing in told for way in ways]
    lines, chosen = [], [row for row in outcome.rows if not names or row.name in names]
    for row in sorted(chosen, key=lambda row: -row.ms) if sort else chosen:
        cells = [row.name, f"{row.type} (automatic)" if row.automatic else row.type, shapes(row.tops)]
        for way in ways:
            cells += _cells(getattr(row, way), roof)
        for standing in told:
            for way in ways:
                seconds = medians(standing, row.name, way)
                cells.append("-" if seconds is None else f"{1e3 * seconds:.3f}")
        lines.append(cells)
    sides = "<<<" + ">" * (len(head) + len(theirs) - 3)
    legend = (
        "of roof: the least time that the machine could take for it, over the time taken; it can do"
        f" {roof.flops_per_s / 1e9:.0f} GFLOP/s, read {roof.read_bytes_per_s / 1e9:.1f} GB/s and move"
        f" {roof.moved_bytes_per_s / 1e9:.1f}."
    )
    leaving = [name for name in ("GB/s", "GFLOP/s", "top", "type") for _ in range(head.count(name))]
    leaving += [*reversed(theirs), "of roof", "of roof"][: len(theirs) + len(ways)]
    table = aligned(head + theirs, lines, sides, width=width, leaving=leaving)
    return f"{table}\n\n{folded([legend], width)}"


def _cells(work: Throughput | None, roof: Roof) -> list[str]:
    if work is None:
        return ["-"] * 4
    share = roof.share(work.flops, work.bytes, work.ms.median / 1e3)
    percent = "" if share is None else f"{100 * share:.0f} %"
    return [f"{work.ms.median:.3f}", rate(work.gflop_per_s), rate(work.gbyte_per_s), percent]


def as_json(subject: Subject, outcome: Outcome, roof: Roof) -> dict[str, Any]:
    """Everything; times in ms, null for what is not known."""
    net, ours = outcome.net, outcome.standings[0]
    return {
        "format": FORMAT,
        "kind": "net",
        "machine": machine(net.device),
        "roof": roof.as_json(),
        "net": {
            "name": net.name,
            "trains": subject.trains,
            "batch": batch(net),
            "inputs": {name: list(net.blobs[name].shape) for name in net.inputs},
        },
        "contenders": [_contender(standing, ours) for standing in outcome.standings],
        "layers": [_layer(row) for row in outcome.rows],
        "notes": outcome.notes,
    }


def _contender(standing: Standing, ours: Standing) -> dict[str, Any]:
    record = standing.record
    known = bool(record.blocks) and not record.error
    shares = record.ratios(ours.record) if known and ours.record.blocks else None
    return {
        "name": record.name,
        "version": standing.version,
        "error": record.error or None,
        "difference": standing.difference,
        "ms": Spread.of(record.seconds)._asdict() if known else None,
        "processor_ms": 1e3 * record.processor_s if known else None,
        "of_ours": None if shares is None else float(np.median(shares)),
        "blocks": [
            {"ms": [1e3 * step for step in block.seconds], "others": block.others} for block in record.blocks
        ],
        "layers": {
            name: {way: 1e3 * float(np.median(seconds)) if seconds else None for way, seconds in told.items()}
            for name, told in standing.layers.items()
        },
    }


def _layer(row: LayerTime) -> dict[str, Any]:
    return {
        "name": row.name,
        "type": row.type,
        "tops": [list(shape) for shape in row.tops],
        **plain("forward", row.forward),
        **plain("backward", row.backward),
    }
