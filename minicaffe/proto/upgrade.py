"""Reading nets and solvers, brought to the current schema.

Upgrading happens here, when a file is read, so that nothing behind this module knows that other schemas
existed. Nets inside a solver are upgraded too, which Caffe forgets.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, locate
from . import binary, text
from .schema import NetParameter, SolverParameter

SOLVER_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")  # by value of the old enum


def read_net(path: str | Path) -> NetParameter:
    """The net of a prototxt file, upgraded."""
    net = text.read(path, NetParameter)
    with locate(str(path)):
        upgrade_net(net)
    return net


def read_weights(path: str | Path) -> NetParameter:
    """The net of a binary file (.caffemodel), upgraded."""
    net = binary.read(path, NetParameter)
    with locate(str(path)):
        upgrade_net(net)
    return net


def read_solver(path: str | Path) -> SolverParameter:
    """The solver of a prototxt file, upgraded, with Caffe's default for snapshot_prefix: the path without
    extension, or, for a snapshot_prefix that is a folder, the file's stem inside it."""
    solver = text.read(path, SolverParameter)
    with locate(str(path)):
        upgrade_solver(solver)
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = str(Path(path).with_suffix(""))
    elif Path(solver.snapshot_prefix).is_dir():
        solver.snapshot_prefix = str(Path(solver.snapshot_prefix) / Path(path).stem)
    return solver


def upgrade_net(net: NetParameter) -> None:
    """Bring a net to the current schema, in place."""
    if net.layers:
        raise ConfigError(
            f"{len(net.layers)} `layers` entries of the schema from before 2014, which cannot be read yet",
            hint="convert the file with Caffe's upgrade_net_proto_text or upgrade_net_proto_binary",
        )
    _inputs_to_layer(net)


def upgrade_solver(solver: SolverParameter) -> None:
    """Bring a solver and the nets inside it to the current schema, in place."""
    if solver.HasField("solver_type"):
        if solver.HasField("type"):
            raise ConfigError("both solver_type and type are set", hint="keep type")
        solver.type = SOLVER_TYPES[solver.solver_type]
        solver.ClearField("solver_type")
    for field, value in solver.ListFields():
        if field.message_type is NetParameter.DESCRIPTOR:
            for net in value if field.is_repeated else [value]:
                upgrade_net(net)


def _inputs_to_layer(net: NetParameter) -> None:
    """`input` with input_shape or input_dim becomes one Input layer in front; without either it says
    nothing."""
    if not net.input:
        return
    if net.input_shape:
        shapes = [list(shape.dim) for shape in net.input_shape]
    else:
        shapes = [list(net.input_dim[i : i + 4]) for i in range(0, len(net.input_dim), 4)]
    if shapes:
        if len(shapes) not in (1, len(net.input)) or any(not s for s in shapes):
            raise ConfigError(f"{len(net.input)} inputs but {len(shapes)} input shapes")
        layers = [layer.__deepcopy__() for layer in net.layer]
        del net.layer[:]
        layer = net.layer.add(name="input", type="Input", top=net.input)
        for shape in shapes:
            layer.input_param.shape.add(dim=shape)
        net.layer.extend(layers)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)
