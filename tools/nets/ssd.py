"""The heads of SSD (Liu et al. 2016): from maps of features to rows of detections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minicaffe.proto.schema import LayerParameter

from . import layers as l
from .spelling import Item

VARIANCES = [0.1, 0.1, 0.2, 0.2]


class Source(NamedTuple):
    """A map of features that boxes are found on: its blob, and the default boxes of each of its cells."""

    blob: str
    min_size: float
    max_size: float | None
    ratios: tuple[float, ...]
    step: float | None = None

    @property
    def boxes(self) -> int:
        """Of a cell: a square, one between the two sizes, and two for each ratio, lying and standing."""
        return 1 + (self.max_size is not None) + 2 * len(self.ratios)


def heads(sources: Sequence[Source], classes: int, kernel: int, **found) -> list[Item]:
    """Everything behind the maps: `found` are fields of detection_output_param."""
    items: list[Item] = []
    for source in sources:
        items += [f"{source.blob}: {source.boxes} boxes a cell", *head(source, classes, kernel)]
    parts = {"loc": "flat", "conf": "flat", "priorbox": None}
    items.append("All boxes of all maps, side by side.")
    for part, end in parts.items():
        bottoms = [f"{source.blob}_mbox_{part}" + (f"_{end}" if end else "") for source in sources]
        axis = {"axis": 1 if end else 2}
        items.append(l.layer("Concat", f"mbox_{part}", bottoms, f"mbox_{part}", concat_param=axis))
    rows, prob, flat = (f"mbox_conf_{end}" for end in ("reshape", "softmax", "flatten"))
    shape = {"shape": {"dim": [0, -1, classes]}}
    output = {"num_classes": classes, "share_location": True, "background_label_id": 0, **found}
    output["code_type"] = "CENTER_SIZE"
    return [
        *items,
        l.layer("Reshape", rows, "mbox_conf", rows, reshape_param=shape),
        l.layer("Softmax", prob, rows, prob, softmax_param={"axis": 2}),
        l.layer("Flatten", flat, prob, flat, flatten_param={"axis": 1}),
        l.layer(
            "DetectionOutput",
            "detection_out",
            ["mbox_loc", flat, "mbox_priorbox"],
            "detection_out",
            detection_output_param=output,
        ),
    ]


def head(source: Source, classes: int, kernel: int) -> list[LayerParameter]:
    """What is found on one map: where, what, and the boxes that this refers to."""
    layers = []
    for part, each in (("loc", 4), ("conf", classes)):
        name = f"{source.blob}_mbox_{part}"
        layers += [
            l.convolution(
                name, source.blob, each * source.boxes, kernel, param=[], pad=kernel // 2 or None,
                weight_filler={"type": "msra"}, bias_filler=l.constant(0),
            ),
            l.layer("Permute", f"{name}_perm", name, f"{name}_perm", permute_param={"order": [0, 2, 3, 1]}),
            l.layer("Flatten", f"{name}_flat", f"{name}_perm", f"{name}_flat", flatten_param={"axis": 1}),
        ]  # fmt: skip
    name = f"{source.blob}_mbox_priorbox"
    conf = {"min_size": [source.min_size], "aspect_ratio": source.ratios, "flip": True, "clip": False}
    conf |= {} if source.max_size is None else {"max_size": [source.max_size]}
    conf |= {} if source.step is None else {"step": source.step}
    conf |= {"variance": VARIANCES, "offset": 0.5}
    return [*layers, l.layer("PriorBox", name, [source.blob, "data"], name, prior_box_param=conf)]
