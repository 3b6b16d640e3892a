"""The data layer of nyud_layers: colour, depth, and the class of every pixel."""

from __future__ import annotations

from .seg_data import SegData

CHANNELS = {"color": 3, "hha": 3, "depth": 1, "label": 1}


class NYUDSegDataLayer(SegData):
    """Images of NYUDv2 and the class of every pixel: shapes alone.

    Param     python_param.param_str: nyud_dir, split, tops, a list of color, depth, hha and label; randomize,
              seed.
    Shapes    a top for each of tops: (1, 3, h, w) for color and hha, (1, 1, h, w) for depth and label.
    Source    nyud_layers of FCN; Gupta et al. 2014.
    Differs   a net with it can be looked at only.
    """

    given = {"nyud_dir": "", "tops": ["color", "label"]}
    size = (425, 560)

    def planes(self, top):
        for name in self.conf.tops:
            self.require(
                name in CHANNELS,
                f"python_param.param_str: tops must be of {', '.join(CHANNELS)}; got {name!r}",
            )
        return tuple(CHANNELS[name] for name in self.conf.tops)
