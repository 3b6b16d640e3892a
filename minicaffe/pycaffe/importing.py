"""`import caffe` as minicaffe.pycaffe."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from .. import log
from . import glog

OWN = __name__.rpartition(".")[0]
SAME = ("caffe._caffe", "caffe.pycaffe")  # where Caffe defines what its package shows


class Submodules(MetaPathFinder, Loader):
    """Gives `import caffe.io` the module minicaffe.pycaffe.io itself, not a second copy of it, as long as
    caffe is minicaffe.pycaffe."""

    def find_spec(self, name, path=None, target=None):
        if not name.startswith("caffe.") or sys.modules.get("caffe") is not sys.modules.get(OWN):
            return None
        own = OWN if name in SAME else OWN + name.removeprefix("caffe")
        return ModuleSpec(name, self, origin=own) if find_spec(own) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(spec.origin or OWN)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run; the module keeps the spec that it was imported under."""
        module.__spec__ = getattr(module.__spec__, "loader_state", None)


_FINDER = Submodules()


def install() -> None:
    """Let `import caffe`, `import caffe.io`, `from caffe.proto import caffe_pb2` and the like mean
    minicaffe.pycaffe for the rest of the process; a Caffe that was imported before is forgotten.

    As in Caffe the log then goes to stderr, unless the program has given the logger "minicaffe" a handler or
    calls caffe.init_log to have less of it.
    """
    _take_over()
    if not log.logger.handlers:
        glog.init_log()


def _take_over() -> None:
    for name in _imported():
        del sys.modules[name]
    sys.modules["caffe"] = importlib.import_module(OWN)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


@contextmanager
def as_caffe() -> Iterator[None]:
    """The same while user code is imported, but for the log; a Caffe that was imported before comes back
    afterwards."""
    before = {name: sys.modules[name] for name in _imported()}
    if before.get("caffe") is not sys.modules.get(OWN):
        _take_over()
    try:
        yield
    finally:
        if "caffe" in before and before["caffe"] is not sys.modules["caffe"]:
            for name in _imported():
                del sys.modules[name]
            sys.modules.update(before)


def _imported() -> list[str]:
    return [name for name in sys.modules if name == "caffe" or name.startswith("caffe.")]
