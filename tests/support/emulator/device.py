"""EmulatedCuda: the Device interface over emulated kernels."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numpy as np

from minicaffe.device.base import ALIGNMENT, Device
from minicaffe.errors import DeviceError
from minicaffe.kernels import cuda
from minicaffe.kernels.registry import KernelSpec, family

from .array import DeviceArray
from .module import FORWARD, RANDOM, REVERSE, START, EmuFunction, EmuModule, Schedule

POISON = 0xFF  # every byte of new memory: NaN in every floating type
SEEDS = 61  # random schedules tried in turn


class EmulatedCuda(Device):
    """A CUDA device on the processor.

    Every launch runs twice from the same values, and both runs must give the same bits: forward over the
    whole grid, then in another order of threads over fewer blocks, another from launch to launch.
    """

    name = "cuda-emulated"
    xp = np  # NumPy's functions hand device arrays over to DeviceArray
    synchronous = False

    def __init__(self, dtype=np.float32) -> None:
        super().__init__(dtype)
        self._launches = 0
        self._recording: list[Callable[[], object]] | None = None

    # -- kernels

    def bind_family(self, module: ModuleType) -> SimpleNamespace:
        functions = EmuModule(self.source(module))
        return SimpleNamespace(
            **{
                name: self._launcher(spec, functions.get_function(name))
                for name, spec in family(module).items()
            }
        )

    def source(self, module: ModuleType) -> str:
        """The CUDA text of a family; tests plant faults in it."""
        return cuda.source(module, self.dtype)

    def _launcher(self, spec: KernelSpec, function: EmuFunction) -> Callable:
        prepare = cuda.Launch(spec, self.dtype, _pointer)

        def launch(*args) -> None:
            blocks, values = prepare(*args)
            if blocks:
                self.execute(
                    lambda: function((blocks,), (cuda.BLOCK,), values, schedules=self._schedules(blocks))
                )

        launch.__name__ = spec.name
        launch.__doc__ = spec.python.__doc__
        return launch

    def _schedules(self, blocks: int) -> tuple[Schedule, ...]:
        """Kernels loop over the grid, so fewer blocks must do as well."""
        self._launches += 1
        turn, seed = self._launches % 3, self._launches % SEEDS
        if turn == 0:
            other = Schedule(REVERSE, 0, -(-blocks // 2), START)
        else:
            other = Schedule(RANDOM, seed, 1 + seed % blocks, START)
        return Schedule(FORWARD), other

    # -- memory

    def empty(self, shape, dtype=None):
        self.refuse_while_recording("allocate", "run the body once before it is captured")
        dtype = np.dtype(dtype or self.dtype)
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        block = np.full(nbytes + ALIGNMENT, POISON, np.uint8)
        start = -block.ctypes.data % ALIGNMENT
        return DeviceArray(self, block[start : start + nbytes].view(dtype).reshape(shape))

    def fill(self, array, value) -> None:
        self.execute(lambda: array.memory.fill(value))

    def put(self, host, out) -> None:
        self.refuse_while_recording("copy from the host", "stage inputs before the captured part")
        out.memory[...] = host

    def get(self, array):
        self.refuse_while_recording("copy to the host", "read results after the captured part")
        return np.array(array.memory)

    def copy(self, source, out) -> None:
        self.execute(lambda: np.copyto(out.memory.reshape(-1), source.memory.reshape(-1)))

    # -- execution

    def execute(self, action: Callable[[], object]) -> None:
        """Do what a GPU would queue; while a capture is recording, only remember it."""
        if self._recording is None:
            action()
        else:
            self._recording.append(action)

    def capture(self, body):
        """Run the body once with every launch recorded and none executed, as CUDA's stream capture does; the
        result executes them all."""
        self.refuse_while_recording("begin a capture", "capture the parts one after another")
        self._recording = actions = []
        try:
            body()
        finally:
            self._recording = None

        def replay() -> None:
            for action in actions:
                action()

        return replay

    def refuse_while_recording(self, what: str, hint: str) -> None:
        if self._recording is not None:
            raise DeviceError(f"cannot {what} while a capture is recording", hint=hint)


def _pointer(array) -> DeviceArray:
    if not isinstance(array, DeviceArray):
        raise DeviceError(f"a kernel on the device got {type(array).__name__}, not an array of the device")
    return array
