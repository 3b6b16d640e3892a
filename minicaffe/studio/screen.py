"""What a prototxt that comes from the page may name: files inside the roots, and no code.

Names that do not begin at the root begin in the workspace's folder, where runs work, too.

A field of the schema that holds text is either one of WORDS or the name of a file, so a field that is new is
screened until somebody has looked at it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..data import datasets, ranges
from ..errors import ConfigError, Place
from ..files import open_file
from ..proto import upgrade
from ..proto.schema import Message

# Texts that name no file, as Message.field; those of the messages in NAMED are all words.
NAMED = frozenset("NetState NetStateRule ParamSpec FillerParameter WatchParameter".split())
WORDS = frozenset(
    """NetParameter.name NetParameter.input NetParameter.engine NetParameter.default_conv_algos_override
    LayerParameter.name LayerParameter.type LayerParameter.bottom LayerParameter.top LayerParameter.engine
    V1LayerParameter.bottom V1LayerParameter.top V1LayerParameter.name V1LayerParameter.param
    V0LayerParameter.name V0LayerParameter.type V0LayerParameter.det_crop_mode
    ConvolutionParameter.conv_algos_override ConvolutionParameter.conv_algorithm
    PythonParameter.module PythonParameter.layer PythonParameter.param_str
    RecurrentParameter.direction RecurrentParameter.activations SoftmaxParameter.normalize_type
    WindowDataParameter.crop_mode CenterLossParameter.distance_type AugmentationParameter.mode
    RandomGeneratorParameter.rand_type TRTParameter.deploy_outputs SaveOutputParameter.output_format
    SaveOutputParameter.output_name_prefix NormalizeParameter.normalize_type
    DepthToSpaceParameter.data_format ResizeNearestNeighborParameter.data_format
    ResizeBilinearParameter.data_format InnerDistanceParameter.distance_type MILDataParameter.ext
    CompileNetState.kept_bn_layers CompileNetState.negative_conv_names
    MnModelParallelParameter.layer_from MnModelParallelParameter.layer_to
    MnParamGradCompressLayerTypeList.layer_type MemoryOptimizationParameter.exclude_blob
    SolverParameter.lr_policy SolverParameter.regularization_type SolverParameter.type
    SolverParameter.eval_type SolverParameter.ap_version SolverParameter.momentum_policy
    SolverParameter.engine SolverParameter.larc_policy SolverParameter.weight_decay_policy""".split()
)
WRITTEN = frozenset(
    """HDF5OutputParameter.file_name SolverParameter.snapshot_prefix SaveOutputParameter.output_directory
    AugmentationParameter.write_augmented AugmentationParameter.write_mean DetectionOutputParameter.save_file
    MatWriteParameter.prefix WriterParameter.file WriterParameter.folder WriterParameter.prefix""".split()
)
NETS = ("net", "train_net", "test_net")
MODULE_HINT = "start the studio with --allow-python-layers if all code beside its nets is yours"


class Bounds(Protocol):
    """What of a workspace decides: where files may be read and written, and whether nets may run code."""

    @property
    def folder(self) -> Path: ...

    @property
    def scratch(self) -> Path: ...

    @property
    def roots(self) -> Sequence[Path]: ...

    @property
    def allow_python_layers(self) -> bool: ...


class Limits(NamedTuple):
    """The bounds of a workspace, as they reach another process."""

    folder: Path
    scratch: Path
    roots: tuple[Path, ...]
    allow_python_layers: bool


def plain(bounds: Bounds) -> dict[str, Any]:
    """What is allowed in a workspace, as plain data."""
    return {
        "folder": str(bounds.folder),
        "scratch": str(bounds.scratch),
        "roots": [str(root) for root in bounds.roots],
        "allow_python_layers": bounds.allow_python_layers,
    }


def limits(given: Mapping[str, Any]) -> Limits:
    """What `plain` made plain."""
    roots = tuple(Path(root) for root in given["roots"])
    return Limits(Path(given["folder"]), Path(given["scratch"]), roots, given["allow_python_layers"] is True)


class Refusal(NamedTuple):
    """Why something is refused, the name of the file that is to blame, "" if none is, and the number of the
    layer, -1 if it is in none."""

    error: ConfigError
    file: str
    layer: int = -1


def net(param: Message, bounds: Bounds) -> None:
    """ConfigError, with the layer, if a net names a file outside the roots, or runs code that is not
    allowed.  `param` is as read: upgraded or not."""
    for refusal in refusals(param, bounds):
        raise refusal.error


def refusals(param: Message, bounds: Bounds) -> Iterator[Refusal]:
    """Everything in a net that `net` would refuse."""
    for number, layer in enumerate(param.layer):
        if layer.type == "Python" and not bounds.allow_python_layers:
            error = ConfigError("a Python layer runs code of its own, which is off here", hint=MODULE_HINT)
            yield Refusal(error.within(Place.of(layer)), "", number)
        for refusal in (*_fields(layer, bounds), *_listed(layer, bounds)):
            refusal.error.within(Place.of(layer))
            yield refusal._replace(layer=number)
    rest = type(param)()
    rest.CopyFrom(param)
    rest.ClearField("layer")
    yield from _fields(rest, bounds)


def solver(param: Message, bounds: Bounds) -> None:
    """The same of a solver, of the nets inside it, and of those whose files it names."""
    for refusal in _fields(param, bounds):
        raise refusal.error
    for field, value in param.ListFields():
        if field.name.endswith("net_param"):
            for inner in value if field.is_repeated else [value]:
                net(inner, bounds)
        if field.name in NETS:
            for path in value if field.is_repeated else [value]:
                if (file := bounds.folder / path).is_file():
                    net(upgrade.read_net(file), bounds)


def _fields(message: Message, bounds: Bounds) -> Iterator[Refusal]:
    for name, field, values in _texts(message, ""):
        key = f"{field.containing_type.name}.{field.name}"
        if key in WORDS or field.containing_type.name in NAMED:
            continue
        for value in values:
            for file in value.split(",") if key == "SolverParameter.weights" else [value]:
                if file := file.strip():
                    yield from _file(name, file, bounds, written=key in WRITTEN)


def _texts(message: Message, path: str) -> Iterator[tuple[str, Any, Sequence[str]]]:
    """Every text of a message and of those in it: the path of its field, the field, its values."""
    for field, value in message.ListFields():
        name = f"{path}.{field.name}" if path else field.name
        values = value if field.is_repeated else [value]
        if field.type == field.TYPE_MESSAGE:
            for inner in values:
                yield from _texts(inner, name)
        elif field.type == field.TYPE_STRING:
            yield name, field, values


def _file(field: str, value: str, bounds: Bounds, *, written: bool) -> Iterator[Refusal]:
    source = ranges.without(value)
    if not written and field.endswith("source") and datasets.named_part(source):
        return
    places = [bounds.folder] if written else [bounds.folder, *bounds.roots]
    if is_inside(bounds.folder / source, places, bounds.scratch):
        return
    verb = "written" if written else "read"
    listed = ", ".join(dict.fromkeys(map(str, places)))
    hint = f"name one in {listed}" if written else f"those are {listed}; --root DIR adds one to read from"
    what = f"{field}: {value!r} lies outside the folders in which files may be {verb} from the page"
    yield Refusal(ConfigError(what, hint=hint, field=field), value)


def is_inside(path: Path, places: Sequence[Path], closed: Path) -> bool:
    """Whether a path, links followed, lies in one of the places, and not in `closed`."""
    try:
        whole = path.resolve()
    except (OSError, RuntimeError, ValueError):  # too long, a NUL, or links in a circle
        return False
    if whole.is_relative_to(closed.resolve()):
        return False
    return any(whole.is_relative_to(place.resolve()) for place in places)


def _listed(layer: Any, bounds: Bounds) -> Iterator[Refusal]:
    """A list of files names files, too.  Links are not followed here: whoever could put one inside the roots
    can read what it leads to."""
    from ..data.absent import PAIRS, SOURCES  # which takes Numba along: not for the server's start

    if layer.type not in SOURCES or layer.type in ("AnnotatedData", "Data", "InfogainLoss"):
        return
    field = SOURCES[layer.type]
    conf = getattr(layer, field)
    listing = bounds.folder / conf.source
    if not conf.source or not listing.is_file():
        return
    prefix = getattr(conf, "root_folder", "")
    roots = [os.path.join(place.resolve(), "") for place in (bounds.folder, *bounds.roots)]
    here = os.path.join(bounds.folder, "")  # where names begin that do not begin at the root
    plain = prefix.endswith("/") and _lies(here, prefix, roots)
    try:
        with open_file(listing) as file:
            for number, line in enumerate(file, 1):
                text = os.fsdecode(line).rstrip("\r\n")
                if text.startswith("#") or (plain and ".." not in text and layer.type not in PAIRS):
                    continue
                words = text.split()
                named = words if layer.type in (*PAIRS, "HDF5Data") else [text]
                named = [*named, *(word for word in words[:-1] if "/" in word)]
                for name in named:
                    if name and not _lies(here, prefix + name, roots):
                        what = (
                            f"{field}.source: line {number} of {conf.source} names {prefix + name!r}, which"
                        )
                        what += " lies outside the folders in which files may be read from the page"
                        hint = "name files inside them"
                        yield Refusal(ConfigError(what, hint=hint, field=f"{field}.source"), conf.source)
                        return
    except OSError:  # said by whoever reads it
        return


def _lies(here: str, path: str, roots: Sequence[str]) -> bool:
    whole = os.path.normpath(os.path.join(here, path))
    return any(os.path.join(whole, "").startswith(root) for root in roots)
