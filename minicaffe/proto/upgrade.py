"""Reading nets and solvers of all schemas that Caffe has had, as the current one.

Files are upgraded when they are read; no other module knows of the earlier schemas.  The steps are Caffe's:
v0, v1, then fields that the current schema has but no longer uses (`input`, BatchNorm's `param`,
solver_type).  Nets inside a solver are upgraded too, and layers of forks that are Caffe's (`aliases`), which
Caffe does not do.
"""

from __future__ import annotations

import os.path
from pathlib import Path

from .. import log
from ..errors import ConfigError, Place, locate
from . import aliases, binary, extensions, nvcaffe, text, v0, v1
from .schema import LayerParameter, NetParameter, SolverParameter

SOLVER_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")  # by value of the old enum


def read_net(path: str | Path, *, strict: bool = False) -> NetParameter:
    """The net of a prototxt file, upgraded.  strict: refuse what Caffe does not read
    (`extensions.refuse`)."""
    net = text.read(path, NetParameter)
    with text.in_file(str(path)):
        if strict:
            extensions.refuse(net)
        upgrade_net(net, str(path))
    return net


def read_weights(path: str | Path) -> NetParameter:
    """The net in a binary file (.caffemodel), upgraded; if NVIDIA Caffe wrote it, also converted
    (`nvcaffe`)."""
    net = binary.read(path, NetParameter)
    with locate(Place(file=str(path))):
        upgrade_net(net, str(path))
        for line in nvcaffe.repair(net):
            log.warning(f"{path}: {line}")
    return net


def read_solver(path: str | Path, *, strict: bool = False) -> SolverParameter:
    """The solver of a prototxt file, upgraded, with Caffe's default for snapshot_prefix: the file's path
    without its extension.  If snapshot_prefix is a folder, the file's name without extension is added to
    it.  strict: as for `read_net`."""
    solver = text.read(path, SolverParameter)
    with text.in_file(str(path)):
        if strict:
            extensions.refuse(solver)
        upgrade_solver(solver, str(path))
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = str(Path(path).with_suffix(""))
    elif os.path.isdir(solver.snapshot_prefix):
        solver.snapshot_prefix = str(Path(solver.snapshot_prefix) / Path(path).stem)
    return solver


def is_current(net: NetParameter) -> bool:
    """Whether a net is in the current schema: upgrade_net would not change it."""
    old = net.layers or net.input or any(map(_trains_statistics, net.layer))
    return not (old or aliases.is_needed(net))


def upgrade_net(net: NetParameter, source: str = "a net") -> list[str]:
    """Convert a net to the current schema, in place and in Caffe's order; `source` is its name in the log.

    What the current schema cannot express is dropped with a warning, as in Caffe; the warnings are returned.
    Raises ConfigError or UnknownTypeError, with the layer's name, where Caffe would abort.
    """
    lost: list[str] = []
    if net.layers and net.layer:
        raise ConfigError(
            f"{len(net.layers)} `layers` of an earlier schema beside {len(net.layer)} `layer`",
            hint='write all of them as layer { type: "..." }',
            field="layers",
        )
    if any(layer.HasField("layer") for layer in net.layers):
        log.info(f"Upgrading {source} from the first schema (V0LayerParameter)")
        lost = v0.to_v1(net)
        for line in lost:
            log.warning(f"{source}: {line}")
        if lost:
            log.warning(f"{source}: not everything could be upgraded (see above); continuing anyway")
    if net.layers:
        log.info(f"Upgrading {source} from the second schema (V1LayerParameter)")
        v1.move_transformation(net)
        v1.to_v2(net)
    if net.input:
        _inputs_to_layer(net)
    aliases.rewrite(net, source)
    _freeze_statistics(net)
    return lost


def upgrade_solver(solver: SolverParameter, source: str = "a solver") -> list[str]:
    """Convert a solver and the nets inside it to the current schema, in place; `source` is its name in the
    log.  Returns the warnings of `upgrade_net`."""
    lost: list[str] = []
    if solver.HasField("solver_type"):
        if solver.HasField("type"):
            raise ConfigError("both solver_type and type are set", hint="keep type", field="solver_type")
        solver.type = SOLVER_TYPES[solver.solver_type]
        solver.ClearField("solver_type")
    for field, value in solver.ListFields():
        if field.message_type is NetParameter.DESCRIPTOR:
            for net in value if field.is_repeated else [value]:
                with locate(field.name):
                    lost += upgrade_net(net, f"{source}, {field.name}")
    return lost


def _inputs_to_layer(net: NetParameter) -> None:
    """Turn the field `input` with its input_shape or input_dim into an Input layer, the net's first.  Without
    a shape, as in weight files, `input` is dropped.  Shapes beyond the number of inputs are dropped with a
    warning; Caffe ignores them."""
    count = len(net.input)
    shapes = [list(shape.dim) for shape in net.input_shape]
    if not shapes and net.input_dim:
        if len(net.input_dim) < 4 * count:
            raise ConfigError(
                f"input_dim must hold {4 * count} numbers, 4 for each input; got {len(net.input_dim)}",
                field="input_dim",
            )
        shapes = [list(net.input_dim[i : i + 4]) for i in range(0, len(net.input_dim), 4)]
    if shapes:
        if len(shapes) < count:
            raise ConfigError(f"{count} inputs but {len(shapes)} input shapes", field="input_shape")
        if len(shapes) > count:
            log.warning(f"{count} inputs but {len(shapes)} input shapes: the last ones are dropped")
            del shapes[count:]
        layer = LayerParameter(name="input", type="Input", top=net.input)
        for shape in shapes:
            layer.input_param.shape.add(dim=shape)
        net.layer.insert(0, layer)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)


def _freeze_statistics(net: NetParameter) -> None:
    """Set lr_mult and decay_mult to 0 in the `param` entries of BatchNorm layers, whose three blobs are
    statistics.  Earlier versions of Caffe required the entries."""
    for layer in net.layer:
        if _trains_statistics(layer):
            for spec in layer.param:
                spec.lr_mult = spec.decay_mult = 0


def _trains_statistics(layer: LayerParameter) -> bool:
    return (
        layer.type == "BatchNorm"
        and len(layer.param) == 3
        and any(spec.lr_mult or spec.decay_mult for spec in layer.param)
    )
