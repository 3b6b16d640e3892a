"""Layer: one operation of a net, its life cycle and the facts it declares.

Life cycle, run by the net: construct; `setup` once; `reshape` now and whenever a bottom's shape changes;
then, with all memory bound, `forward` and `backward` any number of times.  A running layer only calls bound
kernels on fixed arrays.

A layer *declares* what the engine must know (class attributes below) and the engine does the rest: it checks
counts, inserts splits, decides which gradients are computed, keeps exactly the arrays alive that backward
reads, and refuses an in-place use that would overwrite one of them.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Hashable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError, ShapeError
from ..proto.unread import unread
from .blob import Blob, Buffer
from .workload import Workload

if TYPE_CHECKING:
    from ..device.base import Device
    from ..proto.schema import Message

Count = int | tuple[int, int | None]  # exactly, or (at least, at most; None for any number)
Put = Callable[[np.ndarray, Any], None]  # of an array on the host, and what holds one of the device


class Layer(Workload):
    """Base of all layers.

    type                Caffe's name, equal to the class name
    bottoms, tops       how many blobs go in and come out
    matched             as many tops as bottoms
    kernels             the kernel family; bound to the device as self.k
    backward_reads      what backward reads besides top.diff: "bottom.data", "top.data", or "top.sign" (only
                        whether elements of top.data are positive); may be narrowed in setup
    in_place_ok         top may be bottom
    elementwise         an element of the top depends on the same element of the bottom alone, and so do
                        their gradients: both may use one memory, though they are two blobs
    identity            forward and backward copy: where both use one memory there is nothing to do
    rectifies           y = max(0, x): the layer before it may do that
    side_by_side        "bottom": the bottoms lie side by side in the images of the top (Concat along axis 1);
                        "top": the tops in those of the bottom (Slice)
    splits              the tops' data is the bottom's, and its gradient the sum of theirs
    family              layers of equal families that read one blob can run as one, see united; None: alone
    settles             forward may give the tops other shapes, see settle
    keeps_sign          run in place, changes no element from positive to not or back, except where its
                        gradient is 0
    not_differentiable  indices of bottoms that have no gradient (labels), -1 for the last; ALL for every
                        bottom
    detached_tops       indices of tops whose diff backward never reads; a gradient that comes back through
                        one is refused
    stepwise_tops       indices of tops that change in steps, since they hold whole numbers: who reads them
                        asks for no gradient, and backward never reads their diff
    loss_weight         what the first top contributes to the loss if the prototxt does not say
    auto_top            a missing top is made up (losses)
    has_params          some uses have parameters (those of a Python layer nobody knows)
    measures            a loss, or another number that serves training and testing alone: no deploy net has
                        it
    not_in_onnx         why ONNX has nothing for it; "" where convert/onnx/rules has a rule, and for sources
                        and measures, which are not exported
    capturable          False if forward or backward needs the host
    carries             True if forward leaves something for the next one: states, running statistics
    source              True for layers that bring data in: their tops have memory of their own, filled by
                        `stage` and `unpack`
    augments            True for sources that take augment_param
    fork_fields         fields of forks in Caffe's messages that this layer reads, such as
                        "loss_param.class_weighting", and values, "loss_param.normalization: PRE_FIXED";
                        any other is refused (proto/unread.py)
    writes              True for layers whose forward writes a file: gradcheck and diff run nets without them
    stochastic          True for layers that draw random numbers: self.random is set before setup, which
                        makes it None if this layer draws none after all
    folder              of the net's file, set before setup; None if it came from no file
    ends_in_relu        forward can end with y = max(0, y): `relu` is set then, and backward takes the
                        gradient by y only where y > 0 (it may overwrite top.diff)
    apart               of "bottom" and "top", those whose images may lie apart (Blob.step)
    adds                backward can add to bottom.diff instead of writing it, where `adding` says so
    setup_draws         words that Caffe's layer takes from the stream of the fillers when it is set up
    allocate            False in a net that is only looked at: setup reads no more than shapes need, fills and
                        fetches nothing, and writes no file
    """

    ALL = frozenset(range(64))

    type: str = ""
    bottoms: Count = 1
    tops: Count = 1
    matched = False
    kernels: ModuleType | None = None
    backward_reads: frozenset[str] = frozenset({"bottom.data", "top.data"})
    in_place_ok = False
    elementwise = False
    identity = False
    rectifies = False
    side_by_side = ""
    splits = False
    family: Hashable = None
    settles = False
    keeps_sign = False
    not_differentiable: frozenset[int] = frozenset()
    detached_tops: frozenset[int] = frozenset()
    stepwise_tops: frozenset[int] = frozenset()
    loss_weight = 0.0
    auto_top = False
    has_params = False
    measures = False
    not_in_onnx = ""
    capturable = True
    carries = False
    source = False
    augments = False
    fork_fields: frozenset[str] = frozenset()
    writes = False
    stochastic = False
    ends_in_relu = False
    apart: frozenset[str] = frozenset()
    adds = False
    setup_draws = 0
    allocate = True

    def __init__(self, param: Message, device: Device, phase: int) -> None:
        self.param = param
        self.name: str = param.name
        self.require(
            self.augments or not param.HasField("augment_param"),
            "augment_param has no effect here",
            hint="Data, ImageData and MemoryData take it",
        )
        for place, forks in unread(param, self.fork_fields):
            hint = f"it is of forks of Caffe ({forks}); remove it if the net is right without"
            raise ConfigError(f"{place} is not supported in this layer", hint=hint)
        self.device = device
        self.phase = phase
        self.k: Any = device.bind(self.kernels) if self.kernels else None
        self.params: list[Blob] = []
        self.fillers: list[Message | np.ndarray] = []  # one per param
        self.param_gradient: list[bool] = []  # one per param: does backward compute it?
        self.relu = False  # set by the net: ends_in_relu
        self.adding: list[bool] = []  # set by the net, one per bottom: adds
        self.buffers: list[Buffer] = []  # asked for by `saved` since the last reshape
        self.state: list[Any] = []  # arrays that one forward hands to the next (recurrent layers)
        self.random: Any = None  # the layer's randomness.Stream
        self.folder: str | None = None  # set by the net
        self.settle: Callable[[], None] = lambda: None  # set by the net

    # -- what a layer implements

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Once: read and check the parameters, create the layer's own (`add_param`)."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Per shape: set the tops' shapes, ask for buffers (`saved`), prepare geometry."""
        raise NotImplementedError

    def alone(self) -> None:
        """Run as the prototxt says, by itself: forget what passes made of the layer."""
        self.relu, self.adding = False, []

    def absorb(self, behind: Layer, backward: bool) -> Layer | None:
        """One layer that does the work of this one and of the layer behind it, which alone reads its top;
        None if there is none.  backward: gradients come back through that one."""
        return None

    def united(self, others: Sequence[Layer]) -> Layer:
        """One layer that does the work of this one and of others of its family, with the tops of all."""
        raise NotImplementedError

    def arrange(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Whenever memory was planned, for a layer that has something `apart`: take the blobs' steps into the
        geometry."""

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Compute every top.data."""
        raise NotImplementedError

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """From every top.diff: write bottom[i].diff where propagate_down[i], add to params[j].diff where
        self.param_gradient[j]."""
        raise NotImplementedError

    def stage(self, passes: int, top: Sequence[Blob], put: Put) -> None:
        """Before forward pass number `passes`, on the host: hand over the next batch of a source layer, and
        where a stochastic layer's random numbers go on.  put(host, holder): before the pass runs, holder.data
        becomes a copy of the array `host`, which may change at once."""
        if self.random is not None:
            self.random.seek(passes, put)

    def unpack(self, top: Sequence[Blob]) -> None:
        """On the device, once what `stage` put is there: what is left to do to make the tops of it."""

    def reset_state(self) -> None:
        """Forget what a forward hands to the next one."""
        for array in self.state:
            self.device.fill(array, 0)

    # settle(): to be called by a forward (or a stage) that has given its tops other shapes, which only values
    # could tell (Filter, Python, images of many sizes).  The tops' memory and the layers behind follow; what
    # the pass computed so far stays.

    def verify(self) -> None:
        """On the host, after a forward whose results are read: raise DataError for values that kernels could
        only flag (a label outside the classes)."""

    # -- what a layer calls

    def add_param(self, shape: Sequence[int], filler: Message | np.ndarray) -> Blob:
        """A learnable blob, filled by the net as `filler` says, or with the values it holds when setup is
        over, unless weights are given."""
        blob = Blob(f"{self.name}.{len(self.params)}", tuple(int(d) for d in shape))
        self.params.append(blob)
        self.fillers.append(filler)
        return blob

    def saved(self, shape: Sequence[int], dtype=None) -> Buffer:
        """Memory that keeps its contents from this forward to this backward; `.data` is bound before
        forward."""
        buffer = Buffer(
            f"{self.name}.saved{len(self.buffers)}", tuple(shape), np.dtype(dtype or self.device.dtype)
        )
        self.buffers.append(buffer)
        return buffer

    def check_counts(self, bottoms: int, tops: int) -> None:
        """ShapeError unless the numbers of bottoms and tops are among those declared."""
        for what, have, allowed in (("bottom", bottoms, self.bottoms), ("top", tops, self.tops)):
            low, high = allowed if isinstance(allowed, tuple) else (allowed, allowed)
            if have < low or (high is not None and have > high):
                span = f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
                raise ShapeError(f"takes {span} {what}{'' if span == '1' else 's'}; got {have}")
        if self.matched and bottoms != tops:
            raise ShapeError(f"takes as many tops as bottoms; got {bottoms} bottoms and {tops} tops")

    @classmethod
    def of(cls, param: Message, folder: str | None) -> builtins.type[Layer]:
        """The class of the layer that `param` describes, in a net whose file lies in `folder`: this one,
        unless the layer names what another does (Python)."""
        return cls

    @classmethod
    def differentiable(cls, index: int, param: Message) -> bool:
        """Whether bottom number `index` of the layer that `param` describes has a gradient."""
        return not {index, index - len(param.bottom)} & cls.not_differentiable

    @property
    def augment(self) -> Message | None:
        """augment_param, if it is set."""
        return self.param.augment_param if self.param.HasField("augment_param") else None

    def require(self, condition: bool, message: str, hint: str = "") -> None:
        """ConfigError(message) unless condition."""
        if not condition:
            raise ConfigError(message, hint=hint)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"
