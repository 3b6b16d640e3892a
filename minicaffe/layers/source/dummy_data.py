"""DummyData: made-up data."""

from __future__ import annotations

import zlib

from ...core import filler
from ...errors import locate
from ...proto.schema import FillerParameter
from .source import Source

LEGACY = ("num", "channels", "height", "width")


class DummyData(Source):
    """Tops filled by fillers: constants once, anything else anew before every pass.

    Param     dummy_data_param: shape, one for all tops or one each; or num, channels, height and width, each
              once or once per top; data_filler, none (constant 0), one, or one per top.
    Shapes    top[i]: as given.
    Source    Caffe's DummyData layer.
    Differs   random values are a function of the seed, the layer's name and the number of the pass.
              Constants are filled before the first pass, and only if nothing but zeros is there by then.
    """

    type = "DummyData"
    stochastic = True

    def setup(self, bottom, top):
        conf, count = self.param.dummy_data_param, len(top)
        self.shapes = self._read_shapes(conf, count)
        fillers = list(conf.data_filler) or [FillerParameter()]
        self._check_count("data_filler", len(fillers), count)
        self.fillers_of_tops = _each(fillers, count)
        self.constant = [f.type == "constant" for f in self.fillers_of_tops]
        for i, (conf, shape) in enumerate(zip(self.fillers_of_tops, self.shapes)):
            with locate(f"top {i}"):
                filler.check(conf, shape)
        if self.allocate:
            # A random top is filled here and then copied; of a constant the value is enough.
            shapes = zip(self.constant, self.shapes)
            self.host = [None if constant else self.device.host_empty(shape) for constant, shape in shapes]
        self.begun = False

    def stage(self, passes, top, put):
        for i, blob in enumerate(top):
            if not self.constant[i]:
                self._fill(i, passes)
                put(self.host[i], blob)
            elif not self.begun and not self.device.get(blob.data).any():
                self.device.fill(blob.data, self.fillers_of_tops[i].value)
        self.begun = True

    def _fill(self, i: int, passes: int) -> None:
        stream = filler.Twister(zlib.crc32(f"{self.random.seed} {self.name} {i} {passes}".encode()))
        with locate(f"top {i}"):
            filler.fill(self.host[i], self.fillers_of_tops[i], stream)

    def _read_shapes(self, conf, count: int) -> list[tuple[int, ...]]:
        if not any(getattr(conf, field) for field in LEGACY):
            self._check_count("shape", len(conf.shape), count)
            return _each([tuple(shape.dim) for shape in conf.shape], count)
        self.require(
            not conf.shape, "both shape and num, channels, height or width are set", hint="keep shape"
        )
        for field in LEGACY:
            self._check_count(field, len(getattr(conf, field)), count)
        return list(zip(*(_each(getattr(conf, field), count) for field in LEGACY)))

    def _check_count(self, field: str, given: int, tops: int) -> None:
        self.require(
            given in (1, tops),
            f"dummy_data_param.{field} must be given once or once per top ({tops}); got {given}",
        )


def _each(values, count: int) -> list:
    """One value per top."""
    return list(values) if len(values) == count else list(values) * count
