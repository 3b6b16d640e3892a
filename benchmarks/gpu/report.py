"""gpu.json and gpu.md: all results so far."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minicaffe.files import write_together

from .tables import Result, errors

HEAD = "Medians, in parentheses 25th to 75th percentile; benchmarks/gpu/__init__.py says what is what."


class Report:
    """The results of a run; `add` writes both files anew.

    out       the folder
    about     machine, date, command, setting: what stands above the results
    sections  by name, in their order: each makes its part of the tables
    """

    def __init__(self, out: Path, about: dict[str, Any], sections: dict[str, Any]) -> None:
        self.out, self.about, self.sections = out, about, sections
        self.results: dict[str, dict[str, Result]] = {name: {} for name in sections}

    def add(self, unit: Sequence[str], result: Result) -> None:
        section, name = unit
        self.results[section][name] = result
        self.write()

    def write(self) -> None:
        content = {**self.about, "results": self.results}
        files = {
            self.out / "gpu.json": f"{json.dumps(content, indent=1)}\n".encode(),
            self.out / "gpu.md": self.markdown().encode(),
        }
        write_together(files)

    def markdown(self) -> str:
        lines = ["# GPU", "", f"`{self.about['command']}`, {self.about['date']}", ""]
        lines += [f"- {name}: {value}" for name, value in self.about["machine"].items()]
        lines += ["", HEAD, ""]
        for name, results in self.results.items():
            if results:
                lines += [f"## {name}", ""]
                repeats = sorted(_repeats(results))
                lines += [f"Measurements of each: {_span(repeats)}.", ""] if repeats else []
                lines += [*self.sections[name].markdown(results), *errors(results)]
        return "\n".join(lines).rstrip() + "\n"


def _repeats(results: Any) -> set[int]:
    """All the numbers of measurements behind some results."""
    if isinstance(results, dict):
        own = {results["repeats"]} if "repeats" in results else set()
        return own.union(*(_repeats(value) for value in results.values()))
    return set().union(*map(_repeats, results)) if isinstance(results, list) else set()


def _span(numbers: list[int]) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
