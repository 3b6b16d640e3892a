"""AdamW: Adam whose weight decay does not pass through the running means."""

from __future__ import annotations

from ..errors import ConfigError
from .adam import Adam


class AdamW(Adam):
    """As Adam with a gradient free of weight decay, and then w = w - rate * lr_mult * weight_decay *
    decay_mult * w, with the w from before the update.

    Source  Loshchilov & Hutter 2019 (arXiv:1711.05101).  An extension.  As in Caffe's Adam, momentum is 0
            unless it is set, and delta is not corrected.
    Raises  ConfigError for regularization_type L1, and as Adam.
    """

    type = "AdamW"

    @classmethod
    def check(cls, param, *, trial=True):
        super().check(param, trial=trial)
        if param.regularization_type != "L2":
            raise ConfigError("AdamW decays weights as L2 does; got L1", field="regularization_type")

    def apply(self, w, dw, history, hyper):
        self.k.adamw_update(w, dw, *history, self.rates, self.decays, hyper, w.size)
