"""What pycaffe says of several processes that train together: here there is one.

The functions are those of a Caffe built without NCCL.  As nothing here trains on several GPUs, what asks for
that is refused.
"""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError, DeviceError

_HINT = "one process trains on one GPU"


def solver_count() -> int:
    """How many solvers train together."""
    return 1


def solver_rank() -> int:
    """Which of them this one is."""
    return 0


def set_solver_count(count: int) -> None:
    """ConfigError unless it is 1."""
    if count != 1:
        raise ConfigError(f"solver_count must be 1; got {count}", hint=_HINT)


def set_solver_rank(rank: int) -> None:
    """ConfigError unless it is 0."""
    if rank != 0:
        raise ConfigError(f"solver_rank must be 0; got {rank}", hint=_HINT)


def set_multiprocess(value: bool) -> None:
    """ConfigError unless it is False."""
    if value:
        raise ConfigError("set_multiprocess(True) asks for training in several processes", hint=_HINT)


def has_nccl() -> bool:
    """Whether several GPUs can train together."""
    return False


class NCCL:
    """There by name, as in a Caffe built without NCCL; it cannot be made."""

    def __init__(self, solver: Any, uid: Any) -> None:
        raise DeviceError("there is no NCCL", hint=_HINT)
