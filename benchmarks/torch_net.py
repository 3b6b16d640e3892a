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
        elif layer.type == "SoftmaxWithLoss":
            entry["weight"] = (layer.loss_weight or [1.0])[0]
        elif layer.type not in ("ReLU", "Concat"):
            raise SystemExit(f"no PyTorch counterpart of layer {layer.name!r} ({layer.type}) is written yet")
        layers.append(entry)
    return layers


def torch_net(layers: list[Layer], x, labels):
    """A torch.nn.Module that returns the weighted loss; sizes follow from a first run on x."""
    import torch
    from torch import nn
    from torch.nn import functional

    makers = {
        "Convolution": lambda e, b: nn.Conv2d(b.shape[1], e["outputs"], *e["window"], groups=e["group"]),
        "InnerProduct": lambda e, b: nn.Sequential(nn.Flatten(), nn.Linear(b[0].numel(), e["outputs"])),
        "Pooling": lambda e, b: (nn.MaxPool2d if e["pool"] == "MAX" else nn.AvgPool2d)(
            *e["window"], ceil_mode=True
        ),
        "LRN": lambda e, b: nn.LocalResponseNorm(*e["norm"]),
        "Dropout": lambda e, b: nn.Dropout(e["ratio"]),
        "ReLU": lambda e, b: nn.ReLU(inplace=True),
    }

    class TorchNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.made = nn.ModuleDict()
            self(x, labels)

        def forward(self, x, labels):
            blobs, loss = {"data": x, "label": labels}, 0.0
            for index, entry in enumerate(layers):
                bottoms = [blobs[name] for name in entry["bottom"]]
                if entry["type"] == "Concat":
                    y = torch.cat(bottoms, 1)
                elif entry["type"] == "SoftmaxWithLoss":
                    y = functional.cross_entropy(*bottoms)
                    loss = loss + entry["weight"] * y
                else:
                    if str(index) not in self.made:
                        self.made[str(index)] = makers[entry["type"]](entry, bottoms[0])
                    y = self.made[str(index)](bottoms[0])
                blobs[entry["top"][0]] = y
            return loss

    return TorchNet()
