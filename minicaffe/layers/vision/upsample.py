"""Upsample: planes become larger, by the places of a mask or by repetition."""

from __future__ import annotations

from ..foreign import refuse_others
from .enlarging import Enlarging


class Upsample(Enlarging):
    """y = 0 but y[mask] = x in every plane; without a mask each pixel of x becomes scale * scale equal ones.

    SegNet's layer has a mask, bottom 1, and MobileNet-YOLO's none.

    Param     upsample_param.  With a mask: upsample_h and upsample_w, the size of the top; or scale (2), or
              scale_h and scale_w, with pad_out_h and pad_out_w (false): one row or column less, for scale 2.
              Without: scale (1).
    Shapes    bottom[0]: x (n, c, h, w); bottom[1], optional: the mask, alike, as Pooling's second top gives
              it: row * width + column in the top; top[0]: (n, c, upsample_h, upsample_w), or (n, c, h scale,
              w scale).
    Backward  dx = dy[mask], or the sum of dy over the pixels that x became; the mask gets none.  Reads
              nothing.
    Source    Upsample of SegNet and ENet; Badrinarayanan, Kendall & Cipolla 2015.  Upsample of
              MobileNet-YOLO's Caffe.
    Differs   of several values for one place the last stands there, as in the forks; all get its gradient,
              as there.  A place outside of the plane is an error when the host looks, and stays empty until
              then.  The size follows the bottoms, where SegNet's keeps that of the first.
    Raises    ShapeError for another mask, DataError for a place outside of the plane.
    """

    type = "Upsample"
    bottoms = (1, 2)

    def setup(self, bottom, top):
        super().setup(bottom, top)
        conf = self.param.upsample_param
        self.method = "PLACES" if self.masked else "SUM"
        if not self.masked:
            refuse_others(self, "upsample_param", {"scale"})
        given = [name for name in ("upsample_h", "upsample_w") if conf.HasField(name)]
        self.size = (conf.upsample_h, conf.upsample_w) if given else None
        if self.size:
            self.require(
                min(self.size) > 1, f"upsample_h and upsample_w must both be above 1; got {self.size}"
            )
            return
        pair = conf.HasField("scale_h"), conf.HasField("scale_w")
        self.require(
            pair[0] == pair[1] and not (any(pair) and conf.HasField("scale")),
            "upsample_param must have scale, or both scale_h and scale_w",
        )
        scale = conf.scale if conf.HasField("scale") else 2 if self.masked else 1
        self.scale = (conf.scale_h, conf.scale_w) if any(pair) else (scale, scale)
        self.require(min(self.scale) > 0, f"upsample_param.scale must be at least 1; got {min(self.scale)}")
        self.less = int(conf.pad_out_h), int(conf.pad_out_w)
        for name, less, times in zip(("pad_out_h", "pad_out_w"), self.less, self.scale):
            self.require(not less or times == 2, f"{name} is for a scale of 2; got {times}")

    def reshape(self, bottom, top):
        h, w = self.planes(bottom)[2:]
        if self.size:
            self.enlarge(bottom, top, self.size)
            return
        out = h * self.scale[0] - self.less[0], w * self.scale[1] - self.less[1]
        self.enlarge(bottom, top, out, self.scale, self.scale)
