"""Findings for the page: where in which text, and what can be done about them with one click.

A fix is an edit that edits.js carries out: {"op": "replace", line, column, length, text} of a piece of a
line, or {"op": "set", index, path, value} of a field of a layer, which a value of null removes; `path` leads
through messages, and `index` is the layer's number in the text, -1 for the text as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..checking.finding import ERROR, Finding
from ..checking.rules.learning import WEIGHTED
from ..checking.rules.style import WITH_BIAS
from ..errors import MiniCaffeError
from ..proto.faults import Walk
from ..proto.schema import LayerParameter, NetParameter, SolverParameter
from ..proto.text import field_line

MEANT = re.compile(r"did you mean (.*)\?$")
WHERE = re.compile(r"(?P<file>.*?)(?::(?P<line>\d+))?(?::(?P<column>\d+))?$", re.DOTALL)
MOST = 50  # faults of a text that are listed

Fix = dict[str, Any]
Layers = Sequence[tuple[int, LayerParameter]]  # those of a state, and their numbers in the text


def of_text(text: str, error: MiniCaffeError, file: str) -> list[dict[str, Any]]:
    """What is wrong with a text that cannot be parsed: every name and value that the schema does not have,
    or else the error that ended parsing."""
    kind = NetParameter if file == "net" else SolverParameter
    walk = Walk(text, kind.DESCRIPTOR)
    found = []
    for fault in walk.faults[:MOST]:
        line, column = walk.lines.place(fault.offset)
        what = (
            f"{fault.what} {fault.name!r}"
            if fault.name and fault.name[0] not in "\"'"
            else f"{fault.what} {fault.name}"
        )
        found.append(_json(ERROR, "schema", file, line, column, "", what.rstrip(), fault.hint))
        found[-1]["fixes"] = list(_of_fault(fault.name, fault.hint, walk.lines.line(line), line, column))
    line, column = next(((p.line, p.column) for p in error.places if p.line), (0, 0))
    if found and any(each["line"] == line for each in found):
        return found
    said = ": ".join([*(str(p) for p in error.places if not p.file), error.message])
    return [_json(ERROR, "cannot_be_read", file, line, column, "", said, error.hint), *found]


def _of_fault(name: str, hint: str, text: str, line: int, column: int) -> Iterator[Fix]:
    """Misspelled names, and values with too many quotes or too few."""
    there = text[column - 1 :]
    quote = there[:1] if there[:1] in "\"'" else ""
    bare = name.strip("\"'")
    whole = f"{quote}{bare}{quote}"
    if not bare or not there.startswith(whole):
        return
    words = re.findall(r"'([^']+)'", found[1]) if (found := MEANT.search(hint)) else []
    texts = [f"{quote}{word}{quote}" for word in words]
    if found := re.match(r'write \w+: (".*")$', hint):
        texts = [found[1]]
    if found := re.match(r"leave out the quotes: \w+: (\w+)$", hint):
        texts = [found[1]]
    for each in texts:
        yield _replace(line, column, len(whole), each)


def _replace(line: int, column: int, length: int, text: str) -> Fix:
    place = {"line": line, "column": column, "length": length}
    return {"op": "replace", **place, "text": text, "label": f"write {text}"}


def of_finding(finding: Finding, file: str, layers: Layers, text: str) -> dict[str, Any]:
    """A finding of a check; one about a solver says which field it is about in its first words."""
    found = WHERE.match(finding.where)
    line, column = (int(found[name] or 0) if found else 0 for name in ("line", "column"))
    said = _json(
        finding.severity, finding.rule, file, line, column, finding.layer, finding.what, finding.remedy
    )
    said["states"] = list(finding.states)
    if file == "solver":
        said["line"] = line or field_line(text, finding.what.split(" ")[0]) or 0
        advised = re.fullmatch(r"(\w+): ([\w.+-]+)", finding.remedy)
        if advised and advised[1] in SolverParameter.DESCRIPTOR.fields_by_name:
            said["fixes"] = [{"index": -1} | _set([advised[1]], advised[2], finding.remedy)]
    if (rule := OF_RULES.get(finding.rule)) and finding.layer:
        for index, layer in layers:
            if layer.name == finding.layer and index >= 0:
                said["fixes"] = [{"index": index} | fix for fix in rule(finding, layer)]
                break
    return said


def _json(
    severity: str, rule: str, file: str, line: int, column: int, layer: str, what: str, hint: str
) -> dict[str, Any]:
    return {
        "severity": severity, "rule": rule, "file": file, "line": line, "column": column, "layer": layer,
        "message": what, "hint": hint, "states": [], "fixes": [],
    }  # fmt: skip


def _set(path: list[Any], value: str | None, label: str) -> Fix:
    return {"op": "set", "path": path, "value": value, "label": label}


def _meant(finding: Finding) -> list[str]:
    found = MEANT.search(finding.remedy)
    return re.findall(r"'([^']+)'", found[1]) if found else []


def _type(finding: Finding, layer: LayerParameter) -> list[Fix]:
    return [_set(["type"], f'"{word}"', f'type: "{word}"') for word in _meant(finding)]


def _bottom(finding: Finding, layer: LayerParameter) -> list[Fix]:
    wrong = re.match(r"bottom '(.*)' is made", finding.what)
    if not wrong or wrong[1] not in layer.bottom:
        return []
    place = list(layer.bottom).index(wrong[1])
    return [_set([["bottom", place]], f'"{word}"', f'bottom: "{word}"') for word in _meant(finding)]


def _no_bias(finding: Finding, layer: LayerParameter) -> list[Fix]:
    return [_set([WITH_BIAS[layer.type], "bias_term"], "false", "bias_term: false")]


def _filler(finding: Finding, layer: LayerParameter) -> list[Fix]:
    path = [WEIGHTED[layer.type], "weight_filler", "type"]
    return [_set(path, f'"{kind}"', f'weight_filler {{ type: "{kind}" }}') for kind in ("xavier", "msra")]


def _one(path: list[Any], value: str | None, label: str) -> Callable[[Finding, LayerParameter], list[Fix]]:
    return lambda finding, layer: [_set(path, value, label)]


OF_RULES: dict[str, Callable[[Finding, LayerParameter], list[Fix]]] = {
    "unknown_type": _type,
    "missing_bottom": _bottom,
    "bias_before_batch_norm": _no_bias,
    "constant_weights": _filler,
    "mirrored_characters": _one(["transform_param", "mirror"], None, "remove mirror"),
    "raw_pixels": _one(["transform_param", "scale"], "0.00390625", "scale: 0.00390625"),
    "sorted_by_label": _one(["image_data_param", "shuffle"], "true", "shuffle: true"),
    "statistics_that_never_start": _one(
        ["batch_norm_param", "use_global_stats"], None, "remove use_global_stats"
    ),
    "statistics_of_the_batch": _one(
        ["batch_norm_param", "use_global_stats"], None, "remove use_global_stats"
    ),
}
