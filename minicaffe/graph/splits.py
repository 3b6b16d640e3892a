"""One consumer per blob: a Split layer wherever a top is read more than once.

After this, every layer may overwrite its bottoms' diffs; only Split adds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from ..errors import ConfigError, in_layer, suggest
from ..proto.schema import LayerParameter, Message, NetParameter

Top = tuple[int, int]  # layer index, top index


def insert_splits(net: NetParameter) -> NetParameter:
    """A copy of the net with the Split layers that Caffe inserts, under Caffe's names.

    A consumer reads the latest producer of a name, so an in-place chain passes ownership on.  A loss_weight
    given to a top counts as one more consumer and moves to the Split's first top.  Raises ConfigError for a
    bottom that no earlier layer produces.
    """
    latest: dict[str, Top] = {}
    source: dict[Top, Top] = {}  # (layer, bottom index) -> the top it reads
    readers: dict[Top, int] = defaultdict(int)
    for i, layer in enumerate(net.layer):
        for j, name in enumerate(layer.bottom):
            if name not in latest:
                with in_layer(layer):
                    what = f"bottom {j} {name!r} is no top of an earlier layer"
                    raise ConfigError(what, hint=remedy(net.layer, i, name, latest))
            source[i, j] = latest[name]
            readers[latest[name]] += 1
        for j, name in enumerate(layer.top):
            latest[name] = i, j
            if j < len(layer.loss_weight) and layer.loss_weight[j]:
                readers[i, j] += 1
    result = NetParameter()
    result.CopyFrom(net)
    del result.layer[:]
    handed_out: dict[Top, int] = defaultdict(int)
    for i, layer in enumerate(net.layer):
        current = result.layer.add()
        current.CopyFrom(layer)
        for j in range(len(layer.bottom)):
            top = source[i, j]
            if readers[top] > 1:
                producer = net.layer[top[0]]
                current.bottom[j] = _blob_name(producer, top[1], handed_out[top])
                handed_out[top] += 1
        for j in range(len(layer.top)):
            if readers[i, j] > 1:
                split = result.layer.add(type="Split", name=_split_name(layer, j), bottom=[layer.top[j]])
                split.top.extend(_blob_name(layer, j, k) for k in range(readers[i, j]))
                if j < len(layer.loss_weight) and layer.loss_weight[j]:
                    split.loss_weight.extend([layer.loss_weight[j]] + [0.0] * (readers[i, j] - 1))
                    current.loss_weight[j] = 0
                    handed_out[i, j] = 1  # the weighted top is nobody's bottom
    return result


def is_automatic(layer: Message) -> bool:
    """Whether a layer is a Split that no file asked for: it and its tops are named as here."""
    name = layer.name
    tops = [f"{name}_{k}" for k in range(len(layer.top))]
    return layer.type == "Split" and name.endswith("_split") and list(layer.top) == tops


def _split_name(layer: LayerParameter, top: int) -> str:
    return f"{layer.top[top]}_{layer.name}_{top}_split"


def _blob_name(layer: LayerParameter, top: int, consumer: int) -> str:
    return f"{_split_name(layer, top)}_{consumer}"


def remedy(layers: Sequence[LayerParameter], at: int, name: str, known: Collection[str]) -> str:
    """What to do about a bottom of layer `at` that is none of the `known` tops of the layers before it."""
    later = [layer.name for layer in layers[at:] if name in layer.top]
    if later:
        return f"layer {later[0]!r} produces it, but file order is execution order: move it up"
    hint = suggest(name, known)
    if layers[at].type.endswith(("Accuracy", "Loss")) and not hint.startswith("did you mean"):
        return "without labels there is nothing to measure: remove the layer"
    if not known:
        return f'nothing is put in here: look at the include rules, or add an Input layer with top: "{name}"'
    return hint or "check the name, and the include rules of the layer that should produce it"
