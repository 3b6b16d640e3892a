"""A rival (see this folder's __init__): PyTorch, layer for layer as its users would write the net.

Options: channels_last, the memory format that its convolutions are fastest in; compile, torch.compile;
device, "cpu" or "cuda".  A BatchNorm and the Scale behind it are one BatchNorm2d, a ReLU in place is in
place.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

Entry = dict[str, Any]


class Call(nn.Module):
    """A module that calls a function of its bottoms."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *bottoms: Any) -> Any:
        return self.function(*bottoms)


class Along(nn.Module):
    """x * weight + bias, of which either may be missing, along an axis."""

    def __init__(self, axis: int, weight: Any, bias: Any) -> None:
        super().__init__()
        self.axis, self.weight, self.bias = axis, weight, bias

    def forward(self, x: Any) -> Any:
        def spread(p: Any) -> Any:
            return p.reshape(p.shape + (1,) * (x.dim() - self.axis - p.dim()))

        x = x if self.weight is None else x * spread(self.weight)
        return x if self.bias is None else x + spread(self.bias)


class InnerProduct(nn.Module):
    def __init__(self, axis: int, weight: Any, bias: Any) -> None:
        super().__init__()
        self.axis, self.weight, self.bias = axis, weight, bias

    def forward(self, x: Any) -> Any:
        return functional.linear(
            x.flatten(self.axis) if x.dim() > self.axis + 1 else x, self.weight, self.bias
        )


class Eltwise(nn.Module):
    def __init__(self, operation: str, coeff: list[float]) -> None:
        super().__init__()
        self.operation, self.coeff = operation, coeff

    def forward(self, *xs: Any) -> Any:
        y = xs[0] if self.coeff[0] == 1 else self.coeff[0] * xs[0]
        for x, factor in zip(xs[1:], self.coeff[1:]):
            if self.operation == "SUM":
                y = y + x if factor == 1 else y.add(x, alpha=factor)
            else:
                y = y * x if self.operation == "PROD" else torch.maximum(y, x)
        return y


def convolution(e: Entry, params: list[Any]) -> Any:
    rank, weight = len(e["kernel"]), params[0]
    transposed = e["type"] == "Deconvolution"
    kind = getattr(nn, f"Conv{'Transpose' if transposed else ''}{rank}d")
    one, other = weight.shape[0], weight.shape[1] * e["groups"]
    inner, outer = (one, other) if transposed else (other, one)
    window = {"stride": tuple(e["stride"]), "padding": tuple(e["pad"]), "dilation": tuple(e["dilation"])}
    module = kind(inner, outer, tuple(e["kernel"]), groups=e["groups"], bias=e["bias"], **window)
    module.weight = weight
    if e["bias"]:
        module.bias = params[1]
    return module


def pooling(e: Entry) -> Any:
    average, whole = e["pool"] == "AVE", not e["kernel"]
    rank = len(e["stride"])
    if whole:
        return getattr(nn, f"Adaptive{'Avg' if average else 'Max'}Pool{rank}d")(1)
    kind = getattr(nn, f"{'Avg' if average else 'Max'}Pool{rank}d")
    window = (tuple(e[field]) for field in ("kernel", "stride", "pad"))
    return kind(*window, ceil_mode=e["ceil"])


def batch_norm(e: Entry, params: list[Any], scale: list[Any]) -> Any:
    """With the parameters of the Scale behind it, if there is one."""
    mean, variance, factor = params
    module = nn.BatchNorm2d(mean.numel(), e["eps"], 1 - e["keep"], affine=bool(scale))
    share = 1 / factor.item() if factor.item() else 0.0
    module.running_mean = mean.detach() * share
    module.running_var = variance.detach() * share
    if scale:
        module.weight = scale[0]
        module.bias = scale[1] if len(scale) > 1 else None
    return module.eval() if e["frozen"] else module


def within_channels(e: Entry) -> Any:
    def forward(x: Any) -> Any:
        squares = functional.avg_pool2d(x * x, e["size"], 1, e["size"] // 2)
        return x * (1 + e["alpha"] * squares) ** -e["beta"]

    return Call(forward)


def loss_of_classes(e: Entry) -> Any:
    ignore = -100 if e["ignore"] is None else e["ignore"]
    entropy = nn.CrossEntropyLoss(ignore_index=ignore)
    return Call(lambda x, labels: entropy(x, labels.reshape(x.shape[:1] + x.shape[2:]).long()))


def power(e: Entry) -> Any:
    def forward(x: Any) -> Any:
        line = x * e["scale"] + e["shift"]
        return line if e["power"] == 1 else line ** e["power"]

    return Call(forward)


def prelu(weight: Any) -> Any:
    module = nn.PReLU(weight.numel())
    module.weight = nn.Parameter(weight.detach().reshape(-1))
    return module


def sections(e: Entry) -> Any:
    def forward(x: Any) -> Any:
        if not e["points"]:
            return torch.chunk(x, len(e["top"]), e["axis"])
        return torch.tensor_split(x, e["points"], e["axis"])

    return Call(forward)


def reshaped(e: Entry) -> Any:
    return Call(lambda x: x.reshape([x.shape[i] if dim == 0 else dim for i, dim in enumerate(e["dims"])]))


def module_of(e: Entry, params: list[Any], in_place: bool) -> Any:
    """The module of an entry."""
    weight, bias = (*params, None, None)[:2]
    makers = {
        "AbsVal": lambda: Call(torch.abs),
        "BNLL": lambda: Call(functional.softplus),
        "Bias": lambda: Along(e["axis"], None, weight),
        "Concat": lambda: Call(lambda *xs: torch.cat(xs, e["axis"])),
        "Convolution": lambda: convolution(e, params),
        "Deconvolution": lambda: convolution(e, params),
        "Dropout": lambda: nn.Dropout(e["dropout_ratio"]),
        "ELU": lambda: nn.ELU(e["alpha"]),
        "Eltwise": lambda: Eltwise(e["operation"], e["coeff"]),
        "EuclideanLoss": lambda: Call(lambda x, y: ((x - y) ** 2).sum() / (2 * len(x))),
        "Flatten": lambda: nn.Flatten(e["axis"], e["end_axis"]),
        "InnerProduct": lambda: InnerProduct(e["axis"], weight.T if e["transpose"] else weight, bias),
        "LRN": lambda: (
            nn.LocalResponseNorm(e["size"], e["alpha"], e["beta"], e["k"])
            if e["across"]
            else within_channels(e)
        ),
        "OneHot": lambda: Call(lambda x: functional.one_hot(x.long(), e["classes"]).float()),
        "PReLU": lambda: prelu(weight),
        "Pooling": lambda: pooling(e),
        "Power": lambda: power(e),
        "ReLU": lambda: (
            nn.LeakyReLU(e["negative_slope"], in_place) if e["negative_slope"] else nn.ReLU(in_place)
        ),
        "Reshape": lambda: reshaped(e),
        "Scale": lambda: Along(e["axis"], weight, bias),
        "Sigmoid": nn.Sigmoid,
        "SigmoidCrossEntropyLoss": lambda: Call(
            lambda x, t: functional.binary_cross_entropy_with_logits(x, t, reduction="sum") / len(x)
        ),
        "Slice": lambda: sections(e),
        "Softmax": lambda: nn.Softmax(1),
        "SoftmaxWithLoss": lambda: loss_of_classes(e),
        "Split": lambda: Call(lambda x: (x,) * len(e["top"])),
        "TanH": nn.Tanh,
    }
    return makers[e["type"]]()


def joined(entries: list[Entry]) -> list[tuple[Entry, Entry | None]]:
    """The entries that compute something; a BatchNorm with the Scale that alone reads it."""
    entries = [e for e in entries if e["type"] not in ("Accuracy", "Silence")]
    for e in entries:
        if "unknown" in e:
            raise NotImplementedError(e["unknown"])
    result: list[tuple[Entry, Entry | None]] = []
    for before, e in zip([None, *entries], entries):
        if (
            before is not None
            and (before["type"], e["type"]) == ("BatchNorm", "Scale")
            and e["bottom"] == before["top"]
            and e["axis"] == 1
        ):
            result[-1] = (before | {"top": e["top"]}, e)
        else:
            result.append((e, None))
    return result


class Graph(nn.Module):
    """The net.  Called with its inputs, in the order of `inputs`, it returns the loss or its outputs."""

    def __init__(self, job: Entry, arrays: Any, in_place: bool = True) -> None:
        super().__init__()
        self.inputs, self.outputs = list(job["names"]), job["outputs"]
        self.entries: list[Entry] = []
        self.made = nn.ModuleList()
        shared = {key: nn.Parameter(torch.from_numpy(arrays[key])) for key in arrays}
        for e, scale in joined(job["layers"]):
            params = [shared[key] for key in e["params"]]
            if e["type"] == "BatchNorm":
                made = batch_norm(e, params, [shared[key] for key in scale["params"]] if scale else [])
            else:
                made = module_of(e, params, in_place and e["in_place"])
            self.entries.append(e)
            self.made.append(made)
        if not job["trains"]:
            self.eval()
        self.trains = job["trains"]

    def forward(self, *inputs: Any) -> Any:
        blobs, loss = dict(zip(self.inputs, inputs)), 0
        for e, module in zip(self.entries, self.made):
            tops = module(*[blobs[name] for name in e["bottom"]])
            tops = tops if isinstance(tops, tuple) else (tops,)
            blobs.update(zip(e["top"], tops))
            for top, weight in zip(tops, e["loss"]):
                if weight:
                    loss = loss + weight * top.sum()
        return loss if self.trains else tuple(blobs[name] for name in self.outputs)

    def timed(self, inputs: list[Any], count: int) -> dict[str, dict[str, list[float]]]:
        """Seconds of every layer by itself, forward, and backward by its bottoms and parameters."""
        blobs, found = dict(zip(self.inputs, inputs)), {}
        backward = self.trains
        for e, module in zip(self.entries, self.made):
            given = [blobs[name].detach() for name in e["bottom"]]
            reads = {id(blobs[name]) for name in self.inputs if name in e["bottom"]}
            if backward:
                given = [
                    x.requires_grad_() if x.is_floating_point() and id(blobs[name]) not in reads else x
                    for name, x in zip(e["bottom"], given)
                ]
            forward_s, backward_s = [], []
            for _ in range(count + 1):
                begun = time.perf_counter()
                with torch.set_grad_enabled(backward):
                    tops = module(*given)
                forward_s.append(time.perf_counter() - begun)
                tops = tops if isinstance(tops, tuple) else (tops,)
                wanted = [x for x in [*given, *module.parameters()] if x.requires_grad]
                if backward and wanted and e["type"] != "Split" and tops[0].requires_grad:
                    slopes = [torch.ones_like(top) for top in tops]
                    begun = time.perf_counter()
                    torch.autograd.grad(tops, wanted, slopes, allow_unused=True)
                    backward_s.append(time.perf_counter() - begun)
            found[e["name"]] = {"forward": forward_s[1:], "backward": backward_s[1:]}
            blobs.update(zip(e["top"], tops))
        return found


def make(job: Entry) -> Entry:
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    options = job["options"]
    where = torch.device(options.get("device", "cpu"))
    last = torch.channels_last if options.get("channels_last") else torch.contiguous_format
    arrays, stored = np.load(job["inputs"]), np.load(job["weights"])
    inputs = [torch.from_numpy(arrays[key]) for key in job["names"].values()]
    inputs = [(x.to(memory_format=last) if x.dim() == 4 else x).to(where) for x in inputs]
    model = Graph(job, stored).to(where).to(memory_format=last)
    run = torch.compile(model) if options.get("compile") else model
    wait = torch.cuda.synchronize if where.type == "cuda" else (lambda: None)

    def outputs() -> Entry:
        with torch.no_grad():
            found = model(*inputs)
        if job["trains"]:
            return {"": found.cpu().numpy()}
        return {name: value.cpu().numpy() for name, value in zip(job["outputs"], found)}

    def forward() -> None:
        with torch.inference_mode():
            run(*inputs)
        wait()

    def layers(count: int) -> Entry:
        alone = Graph(job, stored, in_place=False).to(where).to(memory_format=last)
        return alone.timed(inputs, count)

    version = f"PyTorch {torch.__version__.split('+')[0]}"
    rival = {"version": version, "outputs": outputs, "layers": layers, "step": forward}
    if not job["trains"]:
        return rival
    update = job["update"]
    parameters = [p for p in model.parameters() if p.requires_grad]
    if update["type"] == "Adam":
        optimizer: Any = torch.optim.Adam(parameters, update["rate"], weight_decay=update["decay"])
    else:
        optimizer = torch.optim.SGD(
            parameters, update["rate"], momentum=update["momentum"], weight_decay=update["decay"]
        )

    def step() -> None:
        optimizer.zero_grad()
        run(*inputs).backward()
        optimizer.step()
        wait()

    return rival | {"step": step}
