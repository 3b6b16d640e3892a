"""The first loss or gradient that is NaN or infinite: where it arose, and all that is needed to see it again.

    P_nonfinite_iter_N/           written before update N + 1 is made, with P the snapshot_prefix
      solver.prototxt             the solver with its training net as it runs, for one iteration
      state_iter_N.*              a snapshot from before the iteration
      report.json                 what was found, and where the run ran

Data is read again from where it was; running statistics that the iteration's forward has already moved
(BatchNorm) are stored as they are after it, which a net in training does not look at.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, log
from ..errors import NonFiniteError, WeightsError
from ..files import temporary_name, write_atomic
from ..log import number
from ..net import Net, Position
from ..proto import text
from ..proto.schema import SolverParameter
from . import nets, resume, snapshot
from .callbacks import Training
from .snapshot import State

STATE = "state"  # prefix of the snapshot in a dump
DUMPED = re.compile(rf"solver\.prototxt|report\.json|{STATE}_iter_\d+\.(caffemodel|solverstate|runstate)")
NOT_FOR_ONE_ITERATION = (
    *("test_net", "test_net_param", "test_state", "test_iter", "test_interval", "weights"),
    *("snapshot", "snapshot_prefix", "plateau", "early_stop", "keep_best", "keep_last", "ema", "warm_up"),
)


@dataclass
class BlobValues:
    """What values a blob has; the numbers are over the finite ones, None if there are none."""

    blob: str
    shape: list[int]
    nan: int
    infinite: int
    least: float | None
    most: float | None
    mean_abs: float | None


@dataclass
class NonFiniteBlob:
    """The first blob that held a value that is not finite.

    pass_number  of the iteration's iter_size passes, from 0
    direction    forward or backward
    first        index of the first such value
    sha256       of the blob's bytes: a replay shows the same
    around       the ranges of the layer's blobs at that moment
    """

    PLACE = ("iteration", "pass_number", "layer", "direction", "blob", "first")

    iteration: int
    pass_number: int
    layer: str
    type: str
    direction: str
    blob: str
    first: list[int]
    sha256: str
    around: list[BlobValues]

    @property
    def place(self) -> tuple:
        return tuple(getattr(self, name) for name in self.PLACE)

    def __str__(self) -> str:
        bad = next(r for r in self.around if r.blob == self.blob)
        count = int(np.prod(bad.shape))
        return (
            f"iteration {self.iteration}, {self.direction} of layer {self.layer!r} ({self.type}): {self.blob}"
            f" has {bad.nan} NaN and {bad.infinite} infinite values of {count}, the first at {self.first}"
        )


def handle(solver: Training, begun: Position) -> None:
    """Called when an iteration had a loss or gradient that is not finite: repeat its passes, find the first
    such value and write a dump.  Then raise NonFiniteError if solver.nonfinite_effect is "stop"; else log the
    finding and set the effect to "none".  If only the sum of the squares of large gradients was beyond the
    range, nothing is written, raised or logged.  Afterwards the net is as after the passes of the iteration.

    begun  where the iteration began; the solver's parameters, iteration and policy must be those of then
    """
    net, debug_info = solver.net, solver.net.debug_info
    after = net.device.get(net.parameters.data)  # the statistics of BatchNorm move with every pass
    net.debug_info = False
    finding, loss = search(solver, begun)
    net.debug_info = debug_info
    net.device.put(after, net.parameters.data)
    if finding is None and np.isfinite(loss):
        return  # only the squares of large gradients were beyond the range
    what = (
        str(finding) if finding else f"iteration {solver.iteration}: the loss is {loss}, every blob is finite"
    )
    try:
        folder = dump(solver, begun, finding, loss)
        again = f"minicaffe replay {shlex.quote(str(folder))} {solver.device.flags()}".rstrip()
        hint = f"lower base_lr (now {number(solver.param.base_lr)}); to see it again: {again}"
    except (WeightsError, OSError) as error:
        hint = f"no dump could be written: {error}"
    if solver.nonfinite_effect == "stop":
        raise NonFiniteError(what, hint=hint)
    log.error(f"{what}; {hint}; training goes on")
    solver.nonfinite_effect = "none"


def handle_parameters(solver: Training) -> None:
    """Called after the last update: if a parameter is not finite, raise NonFiniteError that names the first
    such, or log it, as solver.nonfinite_effect says."""
    for layer in solver.net.layers:
        for j, blob in enumerate(layer.params):
            found = _range("", solver.net.device.get(blob.data))
            if found.nan or found.infinite:
                what = (
                    f"after iteration {solver.iteration}, layer {layer.name!r} ({layer.type}): parameter {j}"
                    f" has {found.nan} NaN and {found.infinite} infinite values of {blob.count}"
                )
                if solver.nonfinite_effect == "stop":
                    raise NonFiniteError(what, hint="the last update made them: lower base_lr")
                log.error(what)
                return


def search(solver: Training, begun: Position) -> tuple[NonFiniteBlob | None, float]:
    """Repeat the passes of an iteration from a position, and look at every blob as soon as it is computed.
    Returns the first that is not finite, and the loss.  All passes run to their end, so the gradients are
    those of the iteration."""
    net = solver.net
    net.plain()
    net.seek(begun)
    net.clear_param_diffs()
    found: NonFiniteBlob | None = None
    total = 0.0
    for pass_number in range(solver.param.iter_size):
        net.stage()
        for direction, i in _steps(net):
            run = net.run_forward if direction == "forward" else net.run_backward
            run(i, i)
            if direction == "forward" and i == len(net.layers) - 1:
                total += net.loss()
            if found is None:
                found = _look(solver, pass_number, direction, i)
    return found, total / solver.param.iter_size


def _steps(net: Net) -> Iterator[tuple[str, int]]:
    yield from (("forward", i) for i in range(len(net.layers)))
    yield from (("backward", i) for i in reversed(range(len(net.layers))) if net.gradients[i].runs)


def _look(solver: Training, pass_number: int, direction: str, i: int) -> NonFiniteBlob | None:
    net = solver.net
    for name, array in _written(net, direction, i):
        host = net.device.get(array)
        bad = ~np.isfinite(host)
        if bad.any():
            first = [int(x) for x in np.unravel_index(int(np.argmax(bad)), host.shape)]
            digest = hashlib.sha256(host.tobytes()).hexdigest()
            layer, around = net.layers[i], [*_read(net, direction, i), *_written(net, direction, i)]
            ranges = [_range(label, net.device.get(a)) for label, a in around]
            return NonFiniteBlob(
                solver.iteration, pass_number, layer.name, layer.type, direction, name, first, digest, ranges
            )
    return None


def _written(net: Net, direction: str, i: int) -> Iterator[tuple[str, Any]]:
    """What a step has written, by name."""
    if direction == "forward":
        yield from ((f"top {net.graph.blob_names[b]!r}", blob.data) for b, blob in _tops(net, i))
        return
    for b, blob, wanted in zip(net.graph.nodes[i].bottoms, net.bottoms[i], net.gradients[i].propagate):
        if wanted:
            yield f"the gradient by bottom {net.graph.blob_names[b]!r}", blob.diff
    for j, (blob, wanted) in enumerate(zip(net.layers[i].params, net.layers[i].param_gradient)):
        if wanted:
            yield f"the gradient by parameter {j}", blob.diff


def _read(net: Net, direction: str, i: int) -> Iterator[tuple[str, Any]]:
    """What a step has read and has not overwritten, by name."""
    if direction == "forward":
        tops = {id(blob.data) for _, blob in _tops(net, i)}
        for b, blob in zip(net.graph.nodes[i].bottoms, net.bottoms[i]):
            if id(blob.data) not in tops and not any(blob.data_of is top.data_of for _, top in _tops(net, i)):
                yield f"bottom {net.graph.blob_names[b]!r}", blob.data
    else:
        for b, blob in _tops(net, i):
            if blob.diff is not None and not any(blob.diff_of is other.diff_of for other in net.bottoms[i]):
                yield f"the gradient by top {net.graph.blob_names[b]!r}", blob.diff
    for j, blob in enumerate(net.layers[i].params):
        yield f"parameter {j}", blob.data


def _tops(net: Net, i: int):
    return zip(net.graph.nodes[i].tops, net.tops[i])


def _range(name: str, host: np.ndarray) -> BlobValues:
    finite = host[np.isfinite(host)].astype(np.float64)
    nan = int(np.isnan(host).sum())
    numbers = (finite.min(), finite.max(), np.abs(finite).mean()) if finite.size else (None,) * 3
    least, most, mean_abs = (None if x is None else float(x) for x in numbers)
    return BlobValues(name, list(host.shape), nan, host.size - finite.size - nan, least, most, mean_abs)


# -- on the disk


def dump(solver: Training, begun: Position, finding: NonFiniteBlob | None, loss: float) -> Path:
    """Write the folder of a dump; returns it.  An earlier dump there is replaced; OSError for anything else
    that has its name."""
    prefix = solver.param.snapshot_prefix or Path(solver.source or "solver").stem
    folder = Path(f"{prefix}_nonfinite_iter_{solver.iteration}")
    fresh = temporary_name(folder)
    fresh.mkdir()
    try:
        write_atomic(fresh / "solver.prototxt", text.spell(_one_iteration(solver)).encode())
        run = {**resume.run_state(solver), "train": resume.pack(begun), "tests": [], "callbacks": {}}
        state = State(solver.iteration, solver.policy.current_step, resume.history(solver), run=run)
        snapshot.write(str(fresh / STATE), solver.net.to_message(), state, as_hdf5=False, told=False)
        report = {
            "finding": None if finding is None else asdict(finding),
            "loss": repr(loss),
            "folder": str(Path.cwd()),
            "net_folder": solver.net.folder and os.path.abspath(solver.net.folder),
            "version": __version__,
            "dtype": str(solver.device.dtype),
            **solver.device.describe(),
        }
        write_atomic(fresh / "report.json", json.dumps(report, indent=1).encode())
        _remove_dump(folder)
        os.replace(fresh, folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return folder


def _remove_dump(folder: Path) -> None:
    """Make room for a dump; OSError if what is there is no dump, or holds files that a dump does not."""
    if not os.path.lexists(folder):
        return
    files = [] if folder.is_symlink() else list(folder.iterdir())
    foreign = next((path for path in files if not DUMPED.fullmatch(path.name)), None)
    if foreign or folder.is_symlink():
        what = f"{foreign or folder} is of no dump: move it away"
        raise FileExistsError(errno.EEXIST, what, str(folder))
    for path in files:
        path.unlink()
    folder.rmdir()


def _one_iteration(solver: Training) -> SolverParameter:
    """The solver's parameters without what one iteration does not need.  They contain the net that runs,
    since its file may be edited or removed."""
    param = SolverParameter()
    param.CopyFrom(solver.param)
    for field in (*nets.TRAIN_NETS, "train_state", *NOT_FOR_ONE_ITERATION):
        param.ClearField(field)
    param.train_net_param.CopyFrom(solver.net.param)
    param.lr_policy = "fixed"
    param.snapshot_after_train = False
    param.random_seed = solver.seed
    return param
