"""What the layers of one file cost: of a net or solver in one of its states, or of a file of weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.absent import Given
from ..errors import ConfigError, Place, locate
from ..files import is_binary, read_start
from ..graph.splits import is_automatic
from ..net import Net
from ..printable import printable
from ..proto import binary, hdf5, upgrade
from ..proto.schema import TEST, NetParameter
from . import program
from .check import StateReport
from .cost import Bytes, LayerCost, memory, of_backward, per_layer
from .finding import Finding
from .reading import PHASES, read
from .report import layer_table, memory_lines, state_json
from .shapes import outline
from .state import State
from .table import aligned, amount, size, spelled, wrapped

WEIGHTS = (".caffemodel", ".h5", ".hdf5")  # endings of files of weights


@dataclass
class Summary:
    """layers and bytes as in a StateReport, empty and None if shapes are not known.

    name      of the net
    state     "TRAIN", "TEST", "deploy"; "weights" for a file of those
    distinct  parameters, shared ones counted once
    backward  multiply-adds of a backward pass; None where there is none
    stored    for a file of weights: of every layer with parameters name, type, and their shapes
    program   what is run: steps, and what passes did
    notes     what stood in the way of building the net as it is
    """

    file: str
    name: str
    state: str
    layers: list[LayerCost] = field(default_factory=list)
    bytes: Bytes | None = None
    distinct: int = 0
    backward: int | None = None
    stored: list[tuple[str, str, list[tuple[int, ...]]]] = field(default_factory=list)
    program: list[str] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)


def summarize(
    path: str,
    *,
    phase: str | None = None,
    level: int = 0,
    stages: Sequence[str] = (),
    source: str | None = None,
    shapes: Given | None = None,
) -> Summary:
    """The summary of a net or solver prototxt, or a file of weights, binary or HDF5.

    phase, level, stages   the state; the first that the file describes if no phase is given: training where
                           there is data
    source                 the data of an all-in-one net that leaves it open
    shapes                 of tops, by name, where data that would tell them is not here

    Raises a MiniCaffeError for a file that cannot be read, or a prototxt whose shapes cannot be known.
    """
    if is_weights(path):
        if phase or level or stages:
            hint = "leave out phase, level and stage"
            raise ConfigError(f"{path} holds weights, which have one state", hint=hint)
        return _of_weights(path)
    state, slots = state_of(path, phase=phase, level=level, stages=stages, source=source)
    summary = Summary(path, state.param.name, state.name, notes=outline(state, shapes))
    if state.net is None:
        raise unknown_shapes(state, summary.notes)
    _count(summary, state, slots)
    return summary


def state_of(
    path: str,
    *,
    phase: str | None = None,
    level: int = 0,
    stages: Sequence[str] = (),
    source: str | None = None,
) -> tuple[State, int]:
    """A state of a net or solver prototxt, and how many history arrays its solver keeps in it."""
    subject = read(path, source)
    wanted = None if phase is None else PHASES[phase]
    fitting = [state for state in subject.states if wanted is None or state.phase == wanted]
    state = (fitting or subject.states)[0]
    if not fitting or level or stages:
        param = NetParameter()
        param.CopyFrom(state.param)
        param.state.phase = state.phase if wanted is None else wanted
        param.state.level = level
        param.state.stage.extend(stages)
        state = State(phase or state.name, param, state.file, deploys=state.deploys)
    return state, subject.slots if state.trains else 0


def unknown_shapes(state: State, findings: Sequence[Finding]) -> ConfigError:
    """Why `outline` could not build the net."""
    for i in state.of_type("Data"):
        if not state.layers[i].data_param.source:
            what = f"layer {state.layers[i].name!r} leaves its source open, so shapes are not known"
            return ConfigError(what, hint="name data: --source TRAIN,VAL, or a named set")
    return ConfigError("; ".join(map(str, findings)))


def is_weights(path: str) -> bool:
    """Whether a file holds weights rather than text: by its name, or because no text looks so."""
    start = read_start(path, 1 << 16)
    return Path(path).suffix in WEIGHTS or start.startswith(hdf5.SIGNATURE) or is_binary(start)


def _of_weights(path: str) -> Summary:
    if hdf5.is_hdf5(path):
        with hdf5.open_weights(path) as layers:
            stored = [
                (name, "", [sets[i].shape for i in sorted(sets)]) for name, sets in layers.items() if sets
            ]
        return Summary(path, "", "weights", stored=stored)
    net = upgrade.read_weights(path)
    summary = Summary(path, net.name, "weights")
    for layer in net.layer:
        if layer.blobs:
            with locate(Place(file=path)), locate(Place(layer=layer.name)):
                shapes = [binary.checked_shape(blob) for blob in layer.blobs]
            summary.stored.append((layer.name, layer.type, shapes))
        for spent in ("blobs", "include", "exclude"):  # they have been obeyed when the file was written
            layer.ClearField(spent)
    net.state.phase = net.layer[0].phase if net.layer else TEST
    state = State("weights", net, "")
    summary.notes = outline(state) if net.layer else []
    if state.net is not None:
        _count(summary, state, 0)
    return summary


def _count(summary: Summary, state: State, slots: int) -> None:
    """Enter what the layers cost."""
    net = state.net
    assert net is not None
    summary.layers = costs_of(net, state)
    summary.bytes = memory(net, slots)
    summary.distinct = distinct_parameters(net)
    summary.program = program.lines(net.program, net.executor.chains())
    if state.trains and any(backward.runs for backward in net.gradients):
        summary.backward = of_backward(net)


def costs_of(net: Net, state: State) -> list[LayerCost]:
    """What the layers of a file cost, but for Splits that were written out by whoever built the net."""
    return per_layer(net, [layer.type for layer in state.layers if not is_automatic(layer)])


def distinct_parameters(net: Net) -> int:
    """How many parameters a net has, shared ones counted once."""
    return sum(owned.blob.count for owned in net.parameters.owned)


def as_text(summary: Summary, width: int | None = None, *, steps: bool = False) -> str:
    """The summary for a terminal of this width; `steps`: with the program that is run."""
    lines = list(_lines(summary, width))
    for line in ["", *summary.program] if steps else []:
        lines += wrapped(printable(line), width)
    return "\n".join(lines)


def _lines(summary: Summary, width: int | None) -> Iterator[str]:
    yield printable(f"{summary.file}: {summary.name or 'net'} ({summary.state})")
    yield ""
    if summary.layers:
        report = StateReport(summary.state, summary.layers, summary.bytes)
        yield layer_table(report, width)
        yield ""
        if summary.distinct != report.parameters:
            yield f"parameters without shared ones {amount(summary.distinct)}"
        if summary.backward is not None:
            yield f"multiply-adds of backward {amount(summary.backward)}"
        yield from memory_lines(report, width)
    if summary.stored:
        yield from [""] if summary.layers else []
        rows = [
            [name, kind, spelled(shapes), amount(_elements(shapes))] for name, kind, shapes in summary.stored
        ]
        total = sum(_elements(shapes) for _, _, shapes in summary.stored)
        rows.append(["total", "", size(4 * total) + " in float32", amount(total)])
        yield aligned(["layer", "type", "stored", "elements"], rows, "<<<>", width=width, leaving=["type"])
    elif not summary.layers:
        yield "no layers"
    if summary.notes:
        yield ""
    for note in summary.notes:
        what = "note: " if summary.layers else "note: shapes of tops are not known: "
        yield from wrapped(printable(f"{what}{note}"), width)


def as_json(summary: Summary) -> dict[str, Any]:
    report = StateReport(summary.state, summary.layers, summary.bytes)
    return {
        "file": summary.file,
        "net": summary.name,
        **state_json(report),
        "distinct_parameters": summary.distinct,
        "backward_multiply_adds": summary.backward,
        "stored": [{"name": name, "type": kind, "shapes": shapes} for name, kind, shapes in summary.stored],
        "program": summary.program,
        "notes": [str(note) for note in summary.notes],
    }


def _elements(shapes: Sequence[tuple[int, ...]]) -> int:
    total = 0
    for shape in shapes:
        elements = 1
        for side in shape:
            elements *= side
        total += elements
    return total
