"""Solvers for tests: in a folder of their own, with recorded or made data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minicaffe.proto import text
from minicaffe.proto.schema import SolverParameter
from minicaffe.solvers import runstate
from minicaffe.solvers.solver import Solver

RECORDED = Path(__file__).parent.parent / "golden" / "solvers"


def recorded_folder(tmp_path: Path, monkeypatch) -> Path:
    """A copy of the recorded solvers, made the working folder: their paths are relative."""
    folder = tmp_path / "solvers"
    shutil.copytree(RECORDED, folder, ignore=shutil.ignore_patterns("*.npz", "log_*", "snap_*"))
    monkeypatch.chdir(folder)
    return folder


def put_params(solver: Solver, stored, prefix: str) -> None:
    """Set every parameter that an .npz holds under `prefix/<layer>/<i>`."""
    for key in stored.files:
        if key.startswith(f"{prefix}/"):
            layer, index = key.split("/")[1:]
            solver.device.put(stored[key], solver.net.params[layer][int(index)].data)


def params(solver: Solver) -> dict[str, np.ndarray]:
    """Copies of all parameters, by `<layer>/<i>`."""
    return {
        f"{layer}/{i}": solver.device.get(blob.data)
        for layer, blobs in solver.net.params.items()
        for i, blob in enumerate(blobs)
    }


def change_run_state(path: Path | str, change: Callable[[dict[str, Any]], object]) -> None:
    """Let a run state be what `change` makes of it, with a checksum that is right."""
    run = json.loads(Path(path).read_text())
    del run["checksum"]
    change(run)
    Path(path).write_bytes(runstate.spell(run, run.pop("sha256")))


TINY_NET = """
net_param {
  name: "tiny"
  layer { name: "in" type: "DummyData" top: "data" top: "label" dummy_data_param {
    shape { dim: 6 dim: 2 dim: 5 dim: 5 } shape { dim: 6 }
    data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" value: 1 } } }
  layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
    convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } } }
  layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
  layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
  layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
    inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
  layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
    include { phase: TEST } }
  layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
}
"""


def tiny_solver(settings: str = "", **options) -> Solver:
    """A solver of a net with random data and dropout, small enough for a few milliseconds per step."""
    defaults = {
        "base_lr": "0.1",
        "lr_policy": '"fixed"',
        "momentum": "0.9",
        "max_iter": "10",
        "random_seed": "3",
    }
    lines = [f"{name}: {value}" for name, value in defaults.items() if f"{name}:" not in settings]
    return Solver.create(text.parse("\n".join([TINY_NET, *lines, settings]), SolverParameter), **options)
