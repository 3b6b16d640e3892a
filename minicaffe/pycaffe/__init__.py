"""Caffe's Python module under its own names: what `import caffe` means to code written for Caffe.

    import minicaffe.pycaffe as caffe

or, for code that says `import caffe` itself, minicaffe.pycaffe.install() before it.  What it has in common
with the engine and what differs from pycaffe stands in the docstrings of Net and Solver.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..layers import LAYERS
from .glog import init_log, log
from .importing import install
from .layer import Layer
from .modes import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from .net import Net
from .parallel import (
    NCCL,
    has_nccl,
    set_multiprocess,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)
from .solvers import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)
from .timer import Timer

__version__ = "1.0.0"  # of the Caffe whose interface this is

TRAIN, TEST = 0, 1

# What is imported when it is first asked for: a module of this package, and its attribute, if not all of it.
_LATER = {
    "Classifier": ("classifier", "Classifier"),
    "Detector": ("detector", "Detector"),
    "NetSpec": ("net_spec", "NetSpec"),
    "classifier": ("classifier", ""),
    "detector": ("detector", ""),
    "io": ("io", ""),
    "layers": ("net_spec", "layers"),
    "net_spec": ("net_spec", ""),
    "params": ("net_spec", "params"),
    "proto": ("proto", ""),
    "to_proto": ("net_spec", "to_proto"),
}

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Layer",
    "NesterovSolver",
    "Net",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "get_solver",
    "has_nccl",
    "init_log",
    "install",
    "layer_type_list",
    "log",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
]


def layer_type_list() -> list[str]:
    """The names of all layer types, in Caffe's order."""
    return sorted(LAYERS)


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LATER[name]
    found = importlib.import_module(f".{module}", __name__)
    return getattr(found, attribute) if attribute else found
