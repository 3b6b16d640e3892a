"""DenseBlock: convolutions that each read what all before them made."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import dense_block, eltwise
from ...kernels import shape as moving
from ...proto.schema import TEST
from ..foreign import refuse_others
from .dense_stage import Kernels, cut
from .dense_transitions import transitions

READ = frozenset(
    """numTransition initChannel growthRate Filter_Filler BN_Scaler_Filler BN_Bias_Filler use_dropout
    dropout_amount use_BC moving_average_fraction gpuIdx BC_ultra_space_efficient workspace_MB""".split()
)


class DenseBlock(Layer):
    """y = x and, behind its channels, those that L transitions make: H_i of all channels before it, i < L.

    H_i is batch norm, ReLU, 3 x 3 convolution to k channels (pad 1, no bias).  With use_BC a bottleneck comes
    before: batch norm, ReLU, 1 x 1 convolution to 4 k channels.  The filters are applied turned round: a
    convolution in the mathematical sense, where Convolution is a correlation.  Batch norm: scale
    (z - mean) / sqrt(variance + 1e-5) + bias, with moments of the batch in TRAIN, in TEST with those kept.
    With use_dropout what a transition makes is in TRAIN divided by 1 - p, or with probability p set to 0.

    Param     denseblock_param: numTransition L (40); growthRate k (12); use_BC (false); Filter_Filler,
              BN_Scaler_Filler, BN_Bias_Filler (constant 0 each); moving_average_fraction m (0.1): kept
              moments = (1 - m) kept + m of the batch, the variance unbiased; use_dropout (false);
              dropout_amount p (0).  initChannel, gpuIdx, BC_ultra_space_efficient, workspace_MB: no meaning.
    Params    L filters (k, c_i, 3, 3), c_i = C + i k, with use_BC (k, 4 k, 3, 3); L scales, L biases, L means
              and L variances, (1, c_i, 1, 1) each.  With use_BC then L filters (4 k, c_i, 1, 1), and scales,
              biases, means, variances (1, 4 k, 1, 1) of the bottlenecks.  Last a factor (1) that means and
              variances are divided by; 0 counts as 1.  Statistics are not trained.
    Shapes    bottom[0]: (n, C, h, w); top[0]: (n, C + L k, h, w).
    Backward  through all transitions, with activations computed again; reads y and what forward saved.
    Source    DenseBlock of caffe_ocr; Huang, Liu, van der Maaten & Weinberger 2017.
    Differs   follows the fork's GPU code where its CPU code has other statistics: there the batch's variance
              is unbiased as it normalizes, running sums take the place of means, and a factor of 0, which
              files trained on a GPU have, makes all statistics 0.  The masks of dropout are functions of
              seed, layer and sample, as those of Dropout are.
    Raises    ShapeError for a bottom that does not have 4 axes, or other channels than the weights.
    """

    type = "DenseBlock"
    carries = stochastic = True
    has_params = True
    kernels = moving
    backward_reads = frozenset({"top.data"})

    def setup(self, bottom, top):
        refuse_others(self, "denseblock_param", READ)
        conf = self.param.denseblock_param
        self.count, self.growth, self.part = conf.numTransition, conf.growthRate, conf.moving_average_fraction
        self.require(
            min(self.count, self.growth) > 0,
            "denseblock_param must have numTransition and growthRate of at least 1; got"
            f" {self.count} and {self.growth}",
        )
        self.frozen, self.ratio = self.phase == TEST, conf.dropout_amount * conf.use_dropout
        self.require(0 <= self.ratio < 1, "denseblock_param.dropout_amount must be from 0 to below 1")
        if self.frozen or not self.ratio:
            self.ratio, self.random = 0.0, None
        self.adding_up, self.shared = self.device.bind(eltwise), Kernels(self)
        self.channels = self._images(bottom)[1]
        self.transitions = transitions(self, self.channels, conf)
        self.stages = [stage for stages in self.transitions for stage in stages]
        self.factor = self.params[-1]

    def _images(self, bottom) -> tuple[int, ...]:
        if len(bottom[0].shape) != 4:
            raise ShapeError(f"bottom 0 must have 4 axes (n, channels, h, w); got {bottom[0].shape}")
        return bottom[0].shape

    def reshape(self, bottom, top):
        n, channels, h, w = self._images(bottom)
        if channels != self.channels:
            raise ShapeError(f"bottom 0 has {channels} channels; the weights take {self.channels}")
        whole = channels + self.count * self.growth
        top[0].reshape(n, whole, h, w)
        for stage in self.stages:
            stage.fit(n, h, w, self.frozen)
        self.n, self.plane, self.image, self.width = n, h * w, whole * h * w, self.growth * h * w
        most = max(stage.count for stage in self.stages)
        self.shared.a, self.shared.da, self.x, self.dx = (self.saved((most,)) for _ in range(4))
        self.shared.turned = self.saved((max(stage.filters.count for stage in self.stages),))
        self.d = self.saved((most,)), self.saved((most,))  # gradients by what a transition reads, in turns
        narrow = (n, 4 * self.growth, h, w) if len(self.transitions[0]) > 1 else (0,)
        self.between = [self.saved(narrow) for _ in self.transitions]
        self.dbetween = self.saved(narrow)
        self.dmade = self.saved((n, self.width) if self.ratio else (0,))

    def forward(self, bottom, top):
        y, factor, size = top[0].data.reshape(-1), self.factor.data, self.channels * self.plane
        self.k.copy_rows(bottom[0].data, y, moving.Rows(self.n, size, 0, size, 0, self.image))
        for i, stages in enumerate(self.transitions):
            x, out = self._read(y, i), self._made(y, i, self.image)
            if len(stages) > 1:
                stages[0].forward(self.shared, x, factor, self.between[i].data, 4 * self.width, self.part)
                x = self.between[i].data
            stages[-1].forward(self.shared, x, factor, out, self.image, self.part)
            if self.ratio:
                self._drop(i, out, self.image, out, self.image)

    def backward(self, top, propagate_down, bottom):
        d, step = top[0].diff.reshape(-1), self.image
        for i in reversed(range(self.count)):
            stages, x, wanted = self.transitions[i], self._read(top[0].data, i), i > 0 or propagate_down[0]
            dx, dy, dy_step = cut(self.dx, x.size) if wanted else None, self._made(d, i, step), step
            if self.ratio:
                dy, dy_step = self._drop(i, dy, step, self.dmade.data, self.width), self.width
            if len(stages) > 1:
                stages[1].backward(self.shared, self.between[i].data, dy, dy_step, self.dbetween.data)
                dy, dy_step = self.dbetween.data, 4 * self.width
            stages[0].backward(self.shared, x, dy, dy_step, dx)
            if wanted:  # what comes to the channels this transition read: past it, and through it
                size = x.size // max(self.n, 1)
                below = cut(self.d[i % 2], x.size) if i else bottom[0].diff.reshape(-1)
                self.k.copy_rows(d, below, moving.Rows(self.n, size, 0, step, 0, size))
                self.adding_up.sum_add(dx, below, 1, 0)
                d, step = below, size

    def _read(self, y, i: int):
        """A copy of the channels that transition i reads, image behind image."""
        size = (self.channels + i * self.growth) * self.plane
        x = cut(self.x, self.n * size)
        self.k.copy_rows(y, x, moving.Rows(self.n, size, 0, self.image, 0, size))
        return x

    def _drop(self, i: int, x, x_step: int, y, y_step: int):
        """y = dropout of what transition i makes, or of the gradient by it."""
        part = dense_block.Part(self.n, self.width, i * self.width, x_step, y_step)
        self.shared.own.drop_part(x, y, self.random.data, part, self.ratio, 1 / (1 - self.ratio))
        return y

    def _made(self, y, i: int, step: int):
        """Of images `step` apart, the channels that transition i makes, to the end of the last image's."""
        first = (self.channels + i * self.growth) * self.plane
        return y[first : (self.n - 1) * step + first + self.width]

    def forward_operations(self, bottom, top):
        norm = 2 if self.frozen else 4
        return sum(conv + norm * x for conv, x in (stage.operations() for stage in self.stages))

    def backward_operations(self, bottom, top, propagate_down, params):
        through = 1 + any(params) if any(params) or propagate_down[0] else 0
        norm = 8 if through else 0
        return sum(through * conv + norm * x for conv, x in (stage.operations() for stage in self.stages))
