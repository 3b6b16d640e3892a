"""All-in-one nets: training, validation and deployment in one prototxt, as NVIDIA's DIGITS has them.

Such a net tells its three uses apart by stages (train, val, deploy), and leaves open what depends on the
data: the source of Data layers, and num_output of the last layer, the number of classes.  `complete` fills
that in, `solver_for` adds a solver; `convert.deploy` takes the finished net out for use.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import NamedTuple

from ..data import class_folders, ranges
from ..data.facts import backend, class_names_of, facts, parts
from ..errors import ConfigError, in_layer
from ..graph.filter import takes_part
from ..proto.schema import (
    TEST,
    TRAIN,
    LayerParameter,
    Message,
    NetParameter,
    NetState,
    SolverParameter,
    enum_name,
)

BATCH_SIZE = 64
KEPT = 2  # snapshots
THIRDS = 3  # the rate falls after each third of the run
STATES = {
    "train": NetState(phase=TRAIN, stage=["train"]),
    "val": NetState(phase=TEST, stage=["val"]),
}
HOLD_OUTPUTS = {"InnerProduct": "inner_product_param", "Convolution": "convolution_param"}


class Wishes(NamedTuple):
    """What is asked for beside the net; None: what the net says, or else a default.

    source       of Data layers without one, training and validation, separated by a comma; or what has both
                 under one name, such as mnist, or the folder that `data make` wrote
    num_output   of InnerProduct and Convolution layers without one; by default the classes of the data
    batch_size   of Data layers without one (64)
    epochs       how often training sees every sample (30)
    base_lr      learning rate at the start (0.01)
    """

    source: str | None = None
    num_output: int | None = None
    batch_size: int | None = None
    epochs: float | None = None
    base_lr: float | None = None

    def of_stage(self, stage: str) -> str | None:
        """The source of a stage, train or val."""
        first, _, second = (part.strip() for part in (self.source or "").partition(","))
        if not second and (found := parts(first)):
            first, second = found.get("train", ""), found.get("val", found.get("test", ""))
        return (first if stage == "train" else second) or None


def has_stages(net: NetParameter) -> bool:
    """Whether a net tells training, validation and deployment apart by stages, as DIGITS does."""
    rules = [rule for layer in net.layer for rule in (*layer.include, *layer.exclude)]
    stages = {stage for rule in rules for stage in (*rule.stage, *rule.not_stage)}
    return len(stages & set(STATES)) >= 2


def complete(net: NetParameter, wishes: Wishes) -> None:
    """Fill in, in place, the sources, batch sizes and num_output that the net leaves open.

    Raises ConfigError for one that neither the net nor the wishes nor the data tell, and for a validation
    set whose labels stand for other classes than those of the training set.
    """
    for stage in ("train", "val"):
        for layer in _data_layers(net, stage):
            with in_layer(layer):
                _fill_data(layer.data_param, wishes, stage)
    _check_classes(net)
    without = [conf for layer in net.layer for conf in _outputs(layer) if not conf.HasField("num_output")]
    if without:
        classes = wishes.num_output or _classes(net)
        for conf in without:
            conf.num_output = classes


def solver_for(net: NetParameter, wishes: Wishes, *, strict: bool = False) -> SolverParameter:
    """A solver for a complete net: stochastic gradient descent with momentum, a test and a snapshot after
    every epoch, and a rate that falls tenfold after each third of the run.  The newest KEPT snapshots stay;
    all, if `strict`, since Caffe has no field for that."""
    train, val = next(_data_layers(net, "train"), None), next(_data_layers(net, "val"), None)
    if train is None:
        raise ConfigError(
            "the net has no Data layer for training",
            hint='give a solver that names the net, or the net a Data layer with include { stage: "train" }',
        )
    epoch = max(round(_samples(train) / train.data_param.batch_size), 1)
    steps = max(math.ceil((30 if wishes.epochs is None else wishes.epochs) * epoch), 1)
    solver = SolverParameter(
        base_lr=0.01 if wishes.base_lr is None else wishes.base_lr,
        momentum=0.9,
        weight_decay=0.0005,
        lr_policy="step",
        gamma=0.1,
        stepsize=math.ceil(steps / THIRDS),
        max_iter=steps,
        display=max(epoch // 10, 1),
        snapshot=epoch,
    )
    if not strict:
        solver.keep_last = KEPT
    solver.net_param.CopyFrom(net)
    solver.train_state.stage.append("train")
    if val is not None:
        solver.test_iter.append(math.ceil(_samples(val) / val.data_param.batch_size))
        solver.test_interval = epoch
        solver.test_state.add(stage=["val"])
    return solver


def class_names(net: NetParameter) -> list[str]:
    """The names of the classes of a complete net's training data, by number; empty if nobody says."""
    data = next(_data_layers(net, "train")).data_param
    return class_names_of(data.source, enum_name(data, "backend"))


def _check_classes(net: NetParameter) -> None:
    """ConfigError if folders of images for training and validation do not have the same class folders: a
    label would stand for one class here and for another there."""
    folders = [
        ranges.without(layer.data_param.source)
        for stage in ("train", "val")
        for layer in _data_layers(net, stage)
        if enum_name(layer.data_param, "backend") == "FOLDER"
    ]
    for other in {*folders[1:]} - {*folders[:1]}:
        here, there = (class_folders.find(folder).classes for folder in (folders[0], other))
        if here != there:
            apart = sorted({*here} ^ {*there})
            raise ConfigError(
                f"{folders[0]} and {other} have different classes: {', '.join(apart[:3])}"
                f"{', ...' * (len(apart) > 3)} in one of them alone",
                hint="minicaffe data make numbers the classes of all parts alike",
            )


def _data_layers(net: NetParameter, stage: str) -> Iterator[LayerParameter]:
    """The Data layers that take part in a stage."""
    return (layer for layer in net.layer if layer.type == "Data" and takes_part(layer, STATES[stage]))


def _fill_data(conf: Message, wishes: Wishes, stage: str) -> None:
    if not conf.source:
        source = wishes.of_stage(stage)
        if not source:
            what = {"train": "training", "val": "validation"}[stage]
            named = ""
            if wishes.source:
                there = "," in wishes.source or os.path.exists(wishes.source)
                named = (
                    f", and {wishes.source!r} names none" if there else f", and there is no {wishes.source!r}"
                )
            raise ConfigError(
                f"the net does not say where the {what} data is{named}",
                hint="--source TRAIN,VAL names two data sets, such as photos[:80%],photos[80%:] of a folder"
                " of class folders; --source mnist both parts of one",
            )
        conf.source = source
    if not conf.HasField("backend"):
        conf.backend = getattr(conf, backend(conf.source))
    if not conf.batch_size:
        conf.batch_size = wishes.batch_size or BATCH_SIZE


def _outputs(layer: LayerParameter) -> Iterator[Message]:
    """The message that holds num_output, for the layers that have one."""
    if layer.type in HOLD_OUTPUTS:
        yield getattr(layer, HOLD_OUTPUTS[layer.type])


def _samples(layer: LayerParameter) -> int:
    return facts(layer.data_param.source, enum_name(layer.data_param, "backend")).samples


def _classes(net: NetParameter) -> int:
    """The classes of the training data."""
    for layer in _data_layers(net, "train"):
        with in_layer(layer):
            return facts(layer.data_param.source, enum_name(layer.data_param, "backend")).classes
    raise ConfigError("num_output is missing, and there is no training data", hint="--num_output N")
