"""Interim: the lab's emulator behind the Device interface, until tests/support/emulator/ exists."""

import sys, shutil
from types import SimpleNamespace
import numpy as np

sys.path.insert(0, "/work/shared/lab/cuda")
from minicaffe.device.cpu import CpuDevice
from minicaffe.kernels import cuda
from minicaffe.kernels.registry import family


def available():
    return shutil.which("g++") is not None


class EmulatedCuda(CpuDevice):
    name = "cuda-emulated"
    synchronous = False

    def bind_family(self, module):
        import emu

        specs = family(module)
        mod = emu.EmuModule(cuda.source(module, self.dtype), list(specs))
        return SimpleNamespace(**{n: self._launcher(mod.get_function(n), s) for n, s in specs.items()})

    def _launcher(self, function, spec):
        class P(bytes):
            pass

        launch = cuda.Launch(spec, self.dtype, lambda a: np.int64(a.ctypes.data))

        def call(*args):
            blocks, values = launch(*args)
            if blocks:
                for order in (0,):
                    function(
                        (blocks,),
                        (cuda.BLOCK,),
                        [v.tobytes() if isinstance(v, np.void) else v for v in values],
                        order=order,
                    )

        return call

    def empty(self, shape, dtype=None):
        import emu

        return (
            emu.device_array(shape, dtype or self.dtype)
            if int(np.prod(shape))
            else np.empty(shape, dtype or self.dtype)
        )
