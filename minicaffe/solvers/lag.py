"""How far the host may run ahead of a GPU in training."""

from __future__ import annotations

from .callbacks import Callback, Training

UNCHECKED = 100  # iterations that may be under way on a GPU before the host looks whether all went well


def most_unchecked(solver: Training) -> int:
    """How many iterations may be under way.  More than one, if bad values may be found some iterations later:
    then the run must be able to go back to where they arose, and nobody may have looked at what followed."""
    prompt = (
        solver.device.synchronous
        or solver.param.average_loss > 1
        or solver.param.clip_gradients >= 0  # whose norm is logged
        or any(layer.carries or not layer.capturable for layer in solver.net.layers)
        or not all(callback.may_lag for callback in solver.callbacks)
    )
    return 1 if prompt else UNCHECKED


def undivided(solver: Training) -> bool:
    """Whether passes and update can be one unit: the device itself makes no update of gradients found bad,
    and nobody wants to see them in between."""
    wanted = (type(callback).on_gradients is not Callback.on_gradients for callback in solver.callbacks)
    return not (solver.device.synchronous or solver.net.executor.one_by_one or any(wanted))
