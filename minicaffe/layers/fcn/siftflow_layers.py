"""The data layer of siftflow_layers: what every pixel shows, and how it lies in space."""

from __future__ import annotations

from .seg_data import SegData


class SIFTFlowSegDataLayer(SegData):
    """Images of SIFT Flow, the class of every pixel, and its geometry: shapes alone.

    Param     python_param.param_str: siftflow_dir, split, randomize, seed.
    Shapes    top[0]: (1, 3, h, w); top[1], top[2]: (1, 1, h, w).
    Source    siftflow_layers of FCN; Liu, Yuen & Torralba 2011.
    Differs   a net with it can be looked at only.
    """

    given = {"siftflow_dir": ""}
    size = (256, 256)
    channels = (3, 1, 1)
