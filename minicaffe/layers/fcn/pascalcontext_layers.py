"""The data layer of pascalcontext_layers."""

from __future__ import annotations

from .seg_data import SegData


class PASCALContextSegDataLayer(SegData):
    """Images of Pascal Context and the class of every pixel: shapes alone.

    Param     python_param.param_str: voc_dir, context_dir, split, randomize, seed.
    Shapes    top[0]: (1, 3, h, w); top[1]: (1, 1, h, w).
    Source    pascalcontext_layers of FCN; Mottaghi et al. 2014.
    Differs   a net with it can be looked at only.
    """

    given = {"voc_dir": "", "context_dir": ""}
