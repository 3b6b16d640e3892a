"""docs/results.md: its parts, made of what docs/results/ holds."""

from __future__ import annotations

import json
import re
import statistics
import textwrap
from pathlib import Path
from typing import Any

from .rows import ROWS, SYSTEMS, Row

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE, NUMBERS, PICTURES = DOCS / "results.md", DOCS / "results", DOCS / "images" / "results"
PART = re.compile(r"(<!-- made by tools/make_results\.py: (\w+) -->\n).*?(<!-- end -->)", re.S)
Result = dict[str, Any]


def results() -> dict[str, Result]:
    """What is known of every row that has been run."""
    paths = {name: NUMBERS / f"{name}.json" for name in ROWS}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def rendered(page: str, found: dict[str, Result]) -> str:
    """The page with all its parts made anew; ValueError if it lacks the part of a row, or has one of none."""
    parts = {"summary": summary(found), **{name: part(row, found.get(name)) for name, row in ROWS.items()}}
    there = [name for _, name, _ in PART.findall(page)]
    if sorted(there) != sorted(parts):
        raise ValueError(f"parts of the page: {there}; expected {list(parts)}")
    return PART.sub(lambda match: match[1] + parts[match[2]] + match[3], page)


def summary(found: dict[str, Result]) -> str:
    """A line for each row."""
    lines = [
        "| | command | accuracy published | reached | time published | time here | an image |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in ROWS.items():
        told, command = row.published, row.commands[-1]
        cells = [row.system, f"`{command}`", _share(told.accuracy), "not run yet", told.time, "", ""]
        if name in found:
            result = found[name]
            cells[3] = (
                f"**{_share(accuracy(result))}**"
                if accuracy(result) >= row.goal
                else _share(accuracy(result))
            )
            cells[5] = duration(_mean(result, "seconds"))
            cells[6] = f"{result['inference_ms']['alone']:.3g} ms"
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def part(row: Row, result: Result | None) -> str:
    """What there is to say of a row."""
    commands = "".join(f"    {command}\n" for command in row.commands)
    about = textwrap.fill(f"{row.system}, {SYSTEMS[row.system]}. {row.about}", 120)
    head = f"## {row.title}\n\n{about}\n\n{commands}\n"
    if result is None:
        return f"{head}Not run yet.\n"
    note = textwrap.fill(result["note"], 120) + "\n\n" if result.get("note") else ""
    return f"{head}{note}{_table(row, result)}{_pictures(row)}"


def accuracy(result: Result) -> float:
    """The mean over the runs."""
    return statistics.mean(run["right"] / run["samples"] for run in result["runs"])


def _table(row: Row, result: Result) -> str:
    runs, told, machine = result["runs"], row.published, result["machine"]
    seeds = "seed" if len(runs) == 1 else "seeds"
    lines = [
        ["", "published" if told else "", f"here, {seeds} {', '.join(str(run['seed']) for run in runs)}"]
    ]
    lines.append(["accuracy", _share(told.accuracy), _accuracies(runs)])
    if all(run["top5"] is not None for run in runs):
        top5 = _share(statistics.mean(run["top5"] for run in runs))
        lines.append(["among the first five", _share(told.top5) if told.top5 else "", top5])
    iterations = f"{runs[0]['iterations']:,} iterations"
    lines.append(["training", told.time, f"{duration(_mean(result, 'seconds'))}, {iterations}"])
    if all(run["seconds_to_published"] is not None for run in runs):
        lines.append(["until the accuracy published", "", duration(_mean(result, "seconds_to_published"))])
    each = "; ".join(f"{ms:.3g} ms {how}" for how, ms in result["inference_ms"].items())
    lines.append(["an image", told.inference, each])
    if beside := result.get("pytorch"):
        lines.append([f"a step in PyTorch {beside['version']}", "", _ratios(beside["contenders"])])
    versions = ", ".join(f"{name} {machine[name]}" for name in ("minicaffe", "python", "numpy", "numba"))
    lines.append(["machine", "", f"{machine['processor']}, {machine['threads']} threads; {versions}"])
    return "\n".join([_line(lines[0]), "| --- | --- | --- |", *map(_line, lines[1:])]) + "\n"


def _line(cells: list[str]) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def _accuracies(runs: list[dict[str, Any]]) -> str:
    each = [run["right"] / run["samples"] for run in runs]
    if len(runs) > 1:
        return f"{_share(statistics.mean(each))}, the mean of {', '.join(map(_share, each))}"
    low, high = runs[0]["interval"]
    counted = f"{runs[0]['right']:,} of {runs[0]['samples']:,}"
    return f"{_share(each[0])}: {counted}; 95 % interval {low:.4f} to {high:.4f}"


def _ratios(contenders: dict[str, dict[str, float]]) -> str:
    own = contenders["minicaffe"]["median_ms"]
    rest = {name: times["ratio"] for name, times in contenders.items() if name != "minicaffe"}
    each = ", ".join(
        f"{ratio:.2f} ({name.removeprefix('torch ') if ' ' in name else 'usual layout'})"
        for name, ratio in rest.items()
    )
    return f"takes {each} times as long as here, {own:.3g} ms"


def _pictures(row: Row) -> str:
    """Those that are there; they lie beside the page's folder of numbers."""
    words = {
        "curve": "loss and accuracy over the iterations",
        "confusion": "which digits were taken for which",
        "mistakes": "the worst mistakes",
    }
    return "".join(
        f"\n![{row.title}: {said}](images/results/{row.name}_{name}.png)\n"
        for name, said in words.items()
        if (PICTURES / f"{row.name}_{name}.png").exists()
    )


def _mean(result: Result, field: str) -> float:
    return statistics.mean(run[field] for run in result["runs"])


def _share(value: float) -> str:
    return f"{value:.4f}"


def duration(seconds: float) -> str:
    """In the largest units that say something.

    >>> [duration(s) for s in (7.24, 94.6, 1446, 8123)]
    ['7.2 s', '95 s', '24 min 6 s', '2 h 15 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"
