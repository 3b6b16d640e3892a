"""A net beside others: who takes part, whole steps in turns, then every layer by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..checking.timing import LayerTime, measure, per_layer
from ..device.base import Device
from ..errors import ConfigError, MiniCaffeError, suggest
from ..net import Net
from .description import by_layer
from .ours import Ours
from .subject import Subject, disagreement, write_job, write_onnx
from .turns import BLOCK_S, REST_S, Record, disturbed, take_turns
from .worker import RIVALS, RivalError, Worker, installed

TOLERANCE = 1e-3  # of first outputs, as a share of the largest value


class Kind(NamedTuple):
    """A kind of rival: what runs it, in rivals/; the module that its interpreter must have; whether it
    trains; whether it takes part unasked; its options."""

    file: str
    module: str
    trains: bool
    usual: bool
    options: dict[str, Any]


KINDS = {
    "torch": Kind("pytorch.py", "torch", True, True, {}),
    "torch_channels_last": Kind("pytorch.py", "torch", True, True, {"channels_last": True}),
    "torch_compile": Kind("pytorch.py", "torch", True, False, {"compile": True}),
    "onnxruntime": Kind("onnx_runtime.py", "onnxruntime", False, True, {}),
    "openvino": Kind("openvino_runtime.py", "openvino", False, True, {}),
}


class Rival(NamedTuple):
    """One that takes part: its name, the file that it runs, its options, its interpreter."""

    name: str
    file: Path
    options: dict[str, Any]
    python: str


def rivals(
    wanted: Sequence[str] | None, pythons: Sequence[str], subject: Subject
) -> tuple[list[Rival], list[str]]:
    """Who of the wanted can take part, and why others cannot.

    wanted   names of KINDS; a Python file with make(job), see rivals/; a folder that holds another checkout
             of this package.  None: all usual ones that are installed
    pythons  interpreters that are looked into after this one
    """
    searched = [sys.executable, *pythons]
    modules = sorted({kind.module for kind in KINDS.values()})
    there = {python: installed(python, modules) for python in searched} if wanted != [] else {}
    found, missing = [], []
    usual = [name for name, kind in KINDS.items() if kind.usual and (kind.trains or not subject.trains)]
    for name in usual if wanted is None else wanted:
        if name in KINDS:
            kind = KINDS[name]
            python = next((python for python in searched if there[python][kind.module]), None)
            if subject.trains and not kind.trains:
                missing.append(f"{name}: it does not train; --phase TEST compares inference")
            elif python is None:
                missing.append(f"{name}: not installed; --python PYTHON names an interpreter that has it")
            else:
                found.append(Rival(name, RIVALS / kind.file, kind.options, python))
        elif Path(name).is_dir():
            if not (Path(name) / "minicaffe" / "__init__.py").is_file():
                raise ConfigError(f"--beside {name}: the folder holds no checkout of minicaffe")
            folder = str(Path(name).resolve())
            found.append(Rival(name, RIVALS / "checkout.py", {"folder": folder}, sys.executable))
        elif name.endswith(".py"):
            if not Path(name).is_file():
                raise ConfigError(f"--beside {name}: there is no such file")
            found.append(Rival(name, Path(name), {}, (pythons or searched)[0]))
        else:
            hint = suggest(name, KINDS) or f"of {', '.join(KINDS)}, a .py file, a folder with a checkout"
            raise ConfigError(f"--beside {name}: no such contender", hint=hint)
    return found, missing


@dataclass
class Standing:
    """A contender after the contest.

    version     what it is
    difference  of its first outputs from ours, as a share of the largest value; None: not compared
    layers      seconds of its layers by name, {"forward": [...], "backward": [...]}
    """

    record: Record
    version: str = ""
    difference: float | None = None
    layers: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Not if it is known to compute something else."""
        return self.difference is None or self.difference <= TOLERANCE


class Effort(NamedTuple):
    """turns of each contender, in blocks of block_s seconds after rests; passes of every layer by itself."""

    turns: int = 10
    block_s: float = BLOCK_S
    rest_s: float = REST_S
    layers: int = 10


@dataclass
class Outcome:
    """The standings, ours first; our net and its layers' times, none where no passes were asked for; notes
    for people."""

    standings: list[Standing]
    net: Net
    rows: list[LayerTime]
    notes: list[str]


def hold(
    subject: Subject,
    devices: dict[str, Device],
    others: Sequence[Rival],
    folder: Path,
    effort: Effort,
    threads: int,
    told: Callable[[str], None],
) -> Outcome:
    """Let them run.

    devices  by the names of our own contenders, the first of which the others are compared with
    folder   for the files of the others
    told     hears how far it is
    """
    own = [Ours(name, subject, device) for name, device in devices.items()]
    first, notes = own[0], list(subject.notes)
    job = write_job(subject, first.net, folder, threads) if others else {}
    standings = {id(one): Standing(Record(one.name)) for one in own}
    workers: list[Worker] = []
    failed: list[Standing] = []
    where = "cpu" if first.device.name == "cpu" else "cuda"
    try:
        for rival in others:
            told(f"Starting {rival.name}")
            try:
                if KINDS.get(rival.name, KINDS["torch"]).module in ("onnxruntime", "openvino"):
                    job["onnx"] = job.get("onnx") or write_onnx(subject, first.net, folder)
                options = {**rival.options, "device": where}
                worker = Worker(rival.name, rival.file, rival.python, job | {"options": options}, folder)
            except MiniCaffeError as error:
                failed.append(Standing(Record(rival.name, error=str(error))))
                continue
            workers.append(worker)
            standings[id(worker)] = Standing(Record(rival.name), worker.version)
        everybody: list[Ours | Worker] = [*own, *workers]
        for one in everybody:
            if not first.stochastic:
                standings[id(one)].difference = disagreement(first.outputs, one.outputs)
        records = take_turns(everybody, effort.turns, block_s=effort.block_s, rest_s=effort.rest_s, told=told)
        for one, record in zip(everybody, records):
            standings[id(one)].record = record
        times = None
        if effort.layers:
            told("Every layer by itself")
            times = measure(first.net, effort.layers)
        for worker in workers if effort.layers else []:
            standing = standings[id(worker)]
            if worker.times_layers and not standing.record.error:
                try:
                    standing.layers = by_layer(worker.layers(effort.layers), job["layers"])
                except RivalError as error:
                    notes.append(f"{worker.name}: no times of layers: {error}")
    finally:
        for worker in workers:
            worker.close()
    if busy := disturbed(records):
        notes.append(busy)
    rows = per_layer(first.net, times) if times else []
    return Outcome([*standings.values(), *failed], first.net, rows, notes)


def medians(standing: Standing, layer: str, way: str) -> float | None:
    """Seconds of a layer of a rival."""
    seconds = standing.layers.get(layer, {}).get(way)
    return float(np.median(seconds)) if seconds else None
