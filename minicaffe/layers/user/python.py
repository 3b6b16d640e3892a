"""Python: a layer that the user wrote in Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ... import log
from ...core.blob import Blob
from ...core.layer import Layer
from .known import known
from .module import find, pycaffe
from .raised import users_code


class Python(Layer):
    """What the class `layer` of `module` computes: a subclass of caffe.Layer, as written for pycaffe.

    The class defines setup(bottom, top), reshape(bottom, top), forward(bottom, top) and backward(top,
    propagate_down, bottom).  It sees the attributes param_str, phase and blobs, and blobs with data, diff,
    shape, reshape(*dims), count, num, channels, height and width.  Tops may be given new shapes in reshape,
    which runs before every forward, and in forward too; the net behind follows.

    Param     python_param: module, looked for on Python's path and then beside the prototxt (`import caffe`
              inside it means minicaffe.pycaffe); layer, a class in it; param_str ("").  share_in_parallel
              is read and means nothing here.
    Shapes    any bottoms, any tops, as the class says.  May run in place, if the class can.
    Backward  as the class says; it may read every bottom and top.  Diffs of bottoms that it does not write
              are 0.
    Source    Caffe's Python layer.
    Differs   runs on every device, on copies where memory is not the host's.  What the code raises, when it
              is imported and in every method, reaches the caller as the cause of a UserCodeError, which names
              layer, file and line.
              Caffe does not look beside the prototxt.  The module's code runs as soon as the net is built,
              and so when it is only looked at (check, summary, draw): it must be code that you trust.
              Modules of py-faster-rcnn and FCN that are nowhere to be found are built in.
    Raises    ConfigError for a module or class that cannot be found, and for a class that is no layer.
    """

    type = "Python"
    settles = True
    bottoms = (0, None)
    tops = (0, None)
    in_place_ok = True
    capturable = False
    not_in_onnx = "what it does stands in Python code"
    carries = True

    @classmethod
    def of(cls, param, folder):
        conf = param.python_param
        found = known(conf.module, conf.layer, folder)
        if found is not None:
            what = f"module {conf.module} is not installed: {conf.layer} is the built-in one"
            log.info(f"layer {param.name!r} (Python): {what}")
        return found or cls

    def setup(self, bottom, top):
        conf, views = self.param.python_param, pycaffe("view")
        with users_code():
            self.user = find(conf.module, conf.layer, self.folder)(self.param)
            self.user.param_str = self.user.param_str_ = conf.param_str
            self.user.phase = self.phase
            self.user.blobs = self.views_of_params = views.ParamViews(self.device, self.add_param)
        if any(blob is other for blob in bottom for other in top):
            self.backward_reads = frozenset({"top.data"})  # there is nothing else; the class knows
        one_each: dict[int, Any] = {}  # in place, bottom and top are one blob and one view
        for blob in (*bottom, *top):
            one_each.setdefault(id(blob), views.BlobView(blob, self.device))
        self.below = [one_each[id(blob)] for blob in bottom]
        self.above = [one_each[id(blob)] for blob in top]
        self.views = list(one_each.values())
        self.around: Callable[[], AbstractContextManager] = nullcontext  # entered while the class runs
        with users_code():
            self.user.setup(self.below, self.above)

    def reshape(self, bottom, top):
        with self.around(), users_code():
            self.user.reshape(self.below, self.above)

    def forward(self, bottom, top):
        self._refresh()
        self.reshape(bottom, top)
        self._follow(top)
        with self.around(), users_code():
            self.user.forward(self.below, self.above)
        self._follow(top)
        self._flush()

    def backward(self, top, propagate_down, bottom):
        for blob, wanted in zip(bottom, propagate_down):
            if wanted and not any(blob is other for other in top):
                self.device.fill(blob.diff, 0)
        self._refresh()
        frozen = [p for p, wanted in zip(self.params, self.param_gradient) if not wanted]
        before = [self.device.get(p.diff) for p in frozen]  # the class is not told what is frozen
        with self.around(), users_code():
            self.user.backward(self.above, list(propagate_down), self.below)
        self._flush()
        for param, diff in zip(frozen, before):
            self.device.put(diff, param.diff)

    def forward_traffic(self, bottom, top):
        return None  # nobody knows what a user's code reads

    def backward_traffic(self, bottom, top, propagate_down, params):
        return None

    def _follow(self, top: Sequence[Blob]) -> None:
        """Have memory for shapes that the user's code has changed."""
        if any(blob.data is None or blob.data.shape != blob.shape for blob in top):
            self.settle()

    def _refresh(self) -> None:
        for view in (*self.views, *self.views_of_params):
            view.refresh()

    def _flush(self) -> None:
        for view in (*self.views, *self.views_of_params):
            view.flush()
