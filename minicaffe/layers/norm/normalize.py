"""Normalize: every number over the norm of the channels at its position, or of its image."""

from __future__ import annotations

from ...core.layer import Layer
from ...errors import ShapeError
from ...kernels import normalize
from ...proto.schema import FillerParameter
from ..foreign import refuse_others

HAPPYNEARS_EPS = 1e-6
READ = {  # of each message
    "norm_param": {"across_spatial", "channel_shared", "scale_filler", "eps"},
    "normalize_param": {"normalize_type"},
}


class Normalize(Layer):
    """y = s[c] * x / q, where q = sqrt(sum of x^2 + eps) over the channels at a position or over an image.

    Three forks have a layer of this name; the message that a layer has tells whose it is.

    Param     norm_param, of SSD: across_spatial (true), q of the image, else of the channels at a position;
              channel_shared (true), one s for all channels; scale_filler (constant 1); eps (1e-10).
              normalize_param, of happynear, at a position and without s: normalize_type, L2 (eps is 1e-6) or
              L1: q = sum of |x| + 1e-6.
              Neither, of yjxiong: over an image, without s and eps.
    Params    s: (channels), or () if shared; none without norm_param.
    Shapes    bottom[0], top[0]: (n, channels, ...), equal.
    Backward  dx = s[c] * (dy - x * (sum of x * dy) / q^2) / q, for L1 with sign(x) * q in the place of x;
              ds[c] += sum of dy * x / q; reads x.
    Source    the Normalize layers of the forks.
    Differs   as in the SSD fork dx is exact where s is the same for all channels: the derivative of y has s
              inside the sum.  ds is right for s = 0, where the fork divides by it.  A second top and
              happynear's fix_gradient and bp_norm are refused, and so is add_eps_before_sqrt: false.
    Raises    ShapeError for a bottom of fewer than two axes, or another number of channels than at first.
    """

    type = "Normalize"
    kernels = normalize
    has_params = True
    backward_reads = frozenset({"bottom.data"})
    operations = (3, 5, 2)

    def setup(self, bottom, top):
        given = [name for name in READ if self.param.HasField(name)]
        self.require(len(given) < 2, "norm_param and normalize_param are of different layers: give one")
        self._check(bottom[0])
        self.absolute, self.across, self.shared, self.eps = False, True, True, 0.0
        for name in given:
            self._take(name, getattr(self.param, name), bottom[0].shape[1:2])
        if not self.params:
            self.one = self.device.empty((1,))
            self.device.fill(self.one, 1)

    def _take(self, name: str, conf, channels: tuple[int, ...]) -> None:
        """What the message says."""
        refuse_others(self, name, READ[name])
        if name == "normalize_param":
            kind = conf.normalize_type
            self.require(
                kind in ("L1", "L2"), f"normalize_param.normalize_type must be L1 or L2; got {kind!r}"
            )
            self.absolute, self.across, self.eps = kind == "L1", False, HAPPYNEARS_EPS
        else:
            self.across, self.shared, self.eps = conf.across_spatial, conf.channel_shared, conf.eps
            self.require(self.eps >= 0, f"norm_param.eps must be at least 0; got {self.eps:g}")
            default = FillerParameter(type="constant", value=1)
            filler = conf.scale_filler if conf.HasField("scale_filler") else default
            self.add_param(() if self.shared else channels, filler)

    def reshape(self, bottom, top):
        x = bottom[0]
        self._check(x)
        if not self.shared and (x.shape[1],) != self.params[0].shape:
            raise ShapeError(f"bottom 0 has {x.shape[1]} channels; there are {self.params[0].count} factors")
        top[0].reshape_like(x)
        flags = int(self.across), int(self.shared), int(self.absolute)
        self.g = normalize.Norms(x.shape[0], x.shape[1], x.count_over(2), *flags)
        self.norm, self.dots = self.saved((self.g.columns,)), self.saved((self.g.columns,))
        self.sums = self.saved(x.shape[1:2])

    def forward(self, bottom, top):
        x, norm = bottom[0].data, self.norm.data
        self.k.column_norms(x, norm, self.g, self.eps)
        self.k.normalize_forward(x, norm, self._scale(), top[0].data, self.g)

    def backward(self, top, propagate_down, bottom):
        x, norm, dy = bottom[0].data, self.norm.data, top[0].diff
        if self.params and self.param_gradient[0]:
            self.k.scale_sums(x, norm, dy, self.sums.data, self.g)
            self.k.add_scale_sums(self.sums.data, self.params[0].diff, self.g)
        if propagate_down[0]:
            dots, dx = self.dots.data, bottom[0].diff
            self.k.normalize_backward(x, norm, self._scale(), dy, dots, dx, self.g)

    def _scale(self):
        return self.params[0].data if self.params else self.one

    def _check(self, x) -> None:
        if len(x.shape) < 2:
            raise ShapeError(f"bottom 0 must have a channel axis; its shape is {x.shape}")

    def read_by_backward(self, bottom, top, propagate_down, params):
        factors = self.params[0].count * propagate_down[0] if self.params else 0
        return super().read_by_backward(bottom, top, propagate_down, params) + factors
