"""A Caffe net run by PyTorch, layer for layer: what minicaffe is compared with.

`describe` turns a net into plain data with the help of minicaffe; `torch_net` builds it with PyTorch alone,
so that the two need not be installed together.
"""

from __future__ import annotations

from typing import Any

Layer = dict[str, Any]


def describe(path: str, phase: str = "TRAIN") -> list[Layer]:
    """The layers of a prototxt that compute something in a phase, as dictionaries of what PyTorch needs."""
    from minicaffe.graph.filter import filter_net
    from minicaffe.proto import upgrade
    from minicaffe.proto.schema import TEST, TRAIN, enum_name

    net = upgrade.read_net(path)
    net.state.phase = {"TRAIN": TRAIN, "TEST": TEST}[phase]
    layers = []
    for layer in filter_net(net).layer:
        if layer.type in ("Data", "DummyData", "Input", "Accuracy"):
            continue
        entry = {"name": layer.name, "type": layer.type, "bottom": [*layer.bottom], "top": [*layer.top]}
        if layer.type == "Convolution":
            c = layer.convolution_param
            kernel, stride, pad = c.kernel_size[0], (c.stride or [1])[0], (c.pad or [0])[0]
            entry |= {"outputs": c.num_output, "window": (kernel, stride, pad), "group": c.group}
        elif layer.type == "InnerProduct":
            entry["outputs"] = layer.inner_product_param.num_output
        elif layer.type == "Pooling":
            p = layer.pooling_param
            entry |= {"pool": enum_name(p, "pool"), "window": (p.kernel_size, p.stride, p.pad)}
        elif layer.type == "LRN":
            n = layer.lrn_param
            if enum_name(n, "norm_region") != "ACROSS_CHANNELS":
                raise SystemExit("PyTorch has no LRN within a channel")
            entry["norm"] = (n.local_size, n.alpha, n.beta, n.k)
        elif layer.type == "Dropout":
            entry["ratio"] = layer.dropout_param.dropout_ratio
        elif layer.type == "OneHot":
            entry["outputs"] = layer.one_hot_param.num_output
        elif layer.type in ("SoftmaxWithLoss", "SigmoidCrossEntropyLoss"):
            entry["weight"] = (layer.loss_weight or [1.0])[0]
        elif layer.type not in ("ReLU", "Concat", "Softmax"):
            raise SystemExit(f"no PyTorch counterpart of layer {layer.name!r} ({layer.type}) is written yet")
        layers.append(entry)
    return layers


def layer_module(entry: Layer, bottoms, *, in_place: bool = True):
    """The torch.nn.Module of one layer, sized for its bottoms, which it is called with."""
    from torch import cat, nn
    from torch.nn import functional

    class Concat(nn.Module):
        def forward(self, *bottoms):
            return cat(bottoms, 1)

    class OneHot(nn.Module):
        def forward(self, labels):
            return functional.one_hot(labels, entry["outputs"]).float()

    class SigmoidCrossEntropyLoss(nn.Module):
        def forward(self, scores, targets):  # the sum over the classes, the mean over the images
            return functional.binary_cross_entropy_with_logits(scores, targets, reduction="sum") / len(scores)

    x, kind = bottoms[0], entry["type"]
    if kind == "Convolution":
        return nn.Conv2d(x.shape[1], entry["outputs"], *entry["window"], groups=entry["group"])
    if kind == "InnerProduct":
        return nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), entry["outputs"]))
    if kind == "Pooling":
        pool = nn.MaxPool2d if entry["pool"] == "MAX" else nn.AvgPool2d
        return pool(*entry["window"], ceil_mode=True)
    makers = {
        "LRN": lambda: nn.LocalResponseNorm(*entry["norm"]),
        "Dropout": lambda: nn.Dropout(entry["ratio"]),
        "ReLU": lambda: nn.ReLU(inplace=in_place),
        "Concat": Concat,
        "OneHot": OneHot,
        "SigmoidCrossEntropyLoss": SigmoidCrossEntropyLoss,
        "Softmax": lambda: nn.Softmax(1),
        "SoftmaxWithLoss": nn.CrossEntropyLoss,
    }
    return makers[kind]()


def torch_net(layers: list[Layer], x, labels=None):
    """A torch.nn.Module that returns the weighted loss, or without losses the last top; sizes follow from a
    first run on x."""
    from torch import nn

    class TorchNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.made = nn.ModuleDict()
            self(x, labels)

        def forward(self, x, labels=None):
            blobs, losses = {"data": x, "label": labels}, []
            for index, entry in enumerate(layers):
                bottoms = [blobs[name] for name in entry["bottom"]]
                if str(index) not in self.made:
                    self.made[str(index)] = layer_module(entry, bottoms)
                y = blobs[entry["top"][0]] = self.made[str(index)](*bottoms)
                if "weight" in entry:
                    losses.append(entry["weight"] * y)
            return sum(losses) if losses else y

    return TorchNet()
