"""PyTorch's side: the same nets and layers, eager or as CUDA graphs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minicaffe.bench.description import describe
from minicaffe.checking.timing import Times
from minicaffe.device.cpu import CpuDevice
from minicaffe.net import Net

from .contests import CONTESTS, SOLVER, classifier, training_net
from .measure import gpu_seconds
from .setting import Setting
from .tables import in_a_line

WARM_UP = 3  # runs before a capture: cuDNN's benchmarks, memory, momentum


class Torch:
    """PyTorch on the GPU with one of our accuracies; capture, clock and seconds are as a device's.

    Where the GPU is emulated it runs on the processor, and a graph is the body itself.
    """

    def __init__(self, setting: Setting, math: str) -> None:
        import torch

        self.torch, self.math = torch, math
        self.on_gpu = setting.device == "cuda"
        self.where = torch.device("cuda" if self.on_gpu else "cpu")
        self.stream = torch.cuda.Stream() if self.on_gpu else None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Its accuracy, which is global, and its stream."""
        torch, tf32 = self.torch, self.math == "TF32"
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        with torch.cuda.stream(self.stream):
            yield

    def net(self, name: str, *, trains: bool, in_place: bool = True) -> Any:
        """A net of CONTESTS: called with images, and labels if it trains, it returns the loss or its outputs,
        see bench/rivals/pytorch.py."""
        from minicaffe.bench.rivals.pytorch import Graph

        built = (training_net if trains else classifier)(name, 1, "DEFAULT", CpuDevice())
        entries, weights = describe(built)
        job = {"layers": entries, "names": built.inputs, "outputs": built.outputs, "trains": trains}
        return Graph(job, weights, in_place).to(self.where)

    def array(self, values: np.ndarray, dtype: Any = None) -> Any:
        return self.torch.as_tensor(values, dtype=dtype, device=self.where)

    def pinned(self, values: np.ndarray) -> Any:
        tensor = self.torch.from_numpy(values)
        return tensor.pin_memory() if self.on_gpu else tensor

    def capture(self, body: Callable[[], object]) -> Callable[[], object]:
        """Call it, and replay, inside `working`."""
        if not self.on_gpu:
            return body
        for _ in range(WARM_UP):
            body()
        self.synchronize()
        graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(graph, stream=self.stream, capture_error_mode="relaxed"):
            body()
        return graph.replay

    def clock(self) -> Callable[[], Any]:
        if not self.on_gpu:
            return time.perf_counter

        def mark() -> Any:
            event = self.torch.cuda.Event(enable_timing=True)
            event.record()
            return event

        return mark

    def seconds(self, earlier: Any, later: Any) -> float:
        if not self.on_gpu:
            return later - earlier
        later.synchronize()
        return earlier.elapsed_time(later) / 1e3

    def synchronize(self) -> None:
        if self.on_gpu:
            self.torch.cuda.synchronize()

    # -- nets

    def feed(self, batches: Sequence[tuple[np.ndarray, Any]], *, ahead: bool) -> Callable[[], object]:
        """Copies every array, from pinned memory, to its tensor.  `ahead`: as our own device does, into a
        buffer while the step before still computes, and from there behind it."""
        torch = self.torch
        hosts = [self.pinned(values) for values, _ in batches]
        if not (self.on_gpu and ahead):
            return lambda: [x.copy_(host, non_blocking=True) for host, (_, x) in zip(hosts, batches)]
        copies, turn = torch.cuda.Stream(), itertools.cycle((0, 1))
        buffers = [[torch.empty_like(host, device=self.where) for host in hosts] for _ in range(2)]
        filled, emptied = ([torch.cuda.Event() for _ in range(2)] for _ in range(2))

        def bring() -> None:
            i = next(turn)
            copies.wait_event(emptied[i])
            with torch.cuda.stream(copies):
                for buffer, host in zip(buffers[i], hosts):
                    buffer.copy_(host, non_blocking=True)
            filled[i].record(copies)
            self.stream.wait_event(filled[i])
            for buffer, (_, x) in zip(buffers[i], batches):
                x.copy_(buffer)
            emptied[i].record(self.stream)

        return bring

    def trainer(self, name: str, batch: int, *, channels_last: bool = False) -> tuple[Any, Any, Any]:
        """A training step of the net, and the tensors (images, labels) that it reads."""
        torch, contest = self.torch, CONTESTS[name]
        x, y = self.array(contest.images(batch)), self.array(contest.labels(batch), torch.long)
        model = self.net(name, trains=True)
        if channels_last:
            model, x = (thing.to(memory_format=torch.channels_last) for thing in (model, x))
        optimizer = torch.optim.SGD(
            model.parameters(),
            SOLVER["base_lr"],
            momentum=SOLVER["momentum"],
            weight_decay=SOLVER["weight_decay"],
        )

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            model(x, y).backward()
            optimizer.step()

        return step, x, y

    def classifier(self, name: str, batch: int, *, channels_last: bool = False) -> tuple[Any, Any, list]:
        """A forward pass of the net that classifies, its images, and a list that holds the last result."""
        torch, contest, result = self.torch, CONTESTS[name], [None]
        x = self.array(contest.images(batch))
        model = self.net(name, trains=False)
        if channels_last:
            model, x = (thing.to(memory_format=torch.channels_last) for thing in (model, x))

        def forward() -> None:
            with torch.no_grad():
                (result[0],) = model(x)

        return forward, x, result


def layers(
    name: str, net: Net, setting: Setting, math: str
) -> tuple[Times, dict[str, str], np.ndarray, np.ndarray]:
    """As for ours: times of the layers of `net` that PyTorch has too, what failed, and of whole passes."""
    torch, effort, failed = Torch(setting, math), setting.effort, {}
    times = Times.empty(len(net.layers), effort.repeats)
    alone = torch.net(name, trains=True, in_place=False)
    modules = {entry["name"]: module for entry, module in zip(alone.entries, alone.made)}
    with torch.working():
        forward, training = (
            gpu_seconds(torch, body, effort) for body in _passes(torch, name, net.blobs["data"].shape[0])
        )
        for i, layer in enumerate(net.layers):
            if layer.name not in modules or layer.type == "Split":
                continue
            try:
                shapes = [blob.shape for blob in net.bottoms[i]]
                propagate = net.gradients[i].propagate
                found = _layer(torch, modules[layer.name], shapes, propagate, effort)
                times.forward[i], times.backward[i] = found
            except Exception as error:
                failed[layer.name] = in_a_line(error)
    return times, failed, forward, training


def _passes(torch: Torch, name: str, batch: int) -> tuple[Callable, Callable]:
    contest = CONTESTS[name]
    x, y = torch.array(contest.images(batch)), torch.array(contest.labels(batch), torch.torch.long)
    model = torch.net(name, trains=True)

    def training() -> None:
        model.zero_grad(set_to_none=True)
        model(x, y).backward()

    return lambda: model(x, y), training


def _layer(torch: Torch, module: Any, shapes: list, propagate: list[bool], effort) -> tuple[Any, Any]:
    """Seconds of forward, and of backward by what our net differentiates by."""
    api = torch.torch
    with torch.where:
        bottoms = [api.randn(shape).requires_grad_(wanted) for shape, wanted in zip(shapes, propagate)]
        if len(shapes) == 2 and not propagate[1]:  # labels
            bottoms[1] = api.zeros(shapes[1])
    wanted = [x for x in [*bottoms, *module.parameters()] if x.requires_grad]
    forward = gpu_seconds(torch, lambda: module(*bottoms), effort)
    if not wanted:
        return forward, np.zeros(effort.repeats)
    y = module(*bottoms)
    dy = api.ones_like(y)
    return forward, gpu_seconds(torch, lambda: api.autograd.grad(y, wanted, dy, retain_graph=True), effort)
