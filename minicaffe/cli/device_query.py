"""minicaffe device_query: says what can run nets here; of GPUs Caffe's lines, and the libraries for them."""

from __future__ import annotations

from .. import log
from ..device.base import MATH
from ..device.cpu import CpuDevice
from ..device.gpu_properties import GpuProperties, libraries_found, query
from ..errors import ConfigError
from ..kernels.convolution import contiguous
from ..kernels.tiled.choice import WAYS, choose
from . import flags, terminal

# Typical convolutions that keep the size: images, channels, outputs, size, window
CONVOLUTIONS = (
    *((32, 64, 192, 56, 3), (32, 160, 320, 14, 3), (1, 64, 64, 56, 3), (1, 512, 512, 7, 3)),
    *((32, 3, 64, 224, 3), (32, 32, 96, 28, 5), (1, 16, 32, 28, 5)),
)


def parser() -> flags.Parser:
    p = flags.Parser(
        "device_query",
        "Describe the CPU, or with --gpu the GPUs that CuPy sees.",
    )
    p.flag("gpu", default="", metavar="all|IDS", help="GPUs to describe: all, 0, or 0,1")
    p.flag("cpu", action="store_true", help="describe the CPU, as without flags")
    p.flag(
        "math",
        type=str.upper,
        choices=MATH,
        default=MATH[0],
        metavar="|".join(MATH).lower(),
        help="whose choice of algorithms is shown (default fast)",
    )
    return p


def run(arguments: list[str]) -> int:
    args = parser().parse(arguments)
    if args.gpu and args.cpu:
        raise ConfigError("--gpu and --cpu exclude each other", hint="give one of them")
    if args.gpu:
        gpus = query(args.gpu)
        terminal.start_log()
        log.info(f"Querying GPUs {args.gpu}")
        for gpu in gpus:
            for name, value in _caffe_lines(gpu).items():
                log.info(f"{name + ':':31}{value}")
        for title, where in libraries_found(args.gpu).items():
            log.info(f"{title + ':':31}{where}")
        return 0
    device = CpuDevice(math=args.math)
    for name, value in {"Device": device.name, **device.describe()}.items():
        terminal.say(f"{name + ':':28}{value}")
    terminal.say("3x3 and 5x5 convolutions:")
    for n, c, m, size, taps in CONVOLUTIONS:
        pad = taps // 2
        axes = 1, size, size, 1, size, size, 1, taps, taps, 1, 1, 1, 0, pad, pad, 1, 1, 1
        g = contiguous(n, 1, c, m, 1, *axes)
        for way in WAYS:
            words = choose(way, g, device.math, device.dtype.itemsize, device.machine.lanes(4)).words
            terminal.say(f"  batch {n}, {way}".ljust(28) + words)
    return 0


def _caffe_lines(gpu: GpuProperties) -> dict[str, object]:
    """Caffe's names, in its order."""
    return {
        "Device id": gpu.id,
        "Major revision number": gpu.major,
        "Minor revision number": gpu.minor,
        "Name": gpu.name,
        "Total global memory": gpu.memory,
        "Total shared memory per block": gpu.shared_memory_per_block,
        "Total registers per block": gpu.registers_per_block,
        "Warp size": gpu.warp_size,
        "Maximum memory pitch": gpu.memory_pitch,
        "Maximum threads per block": gpu.threads_per_block,
        "Maximum dimension of block": ", ".join(map(str, gpu.block)),
        "Maximum dimension of grid": ", ".join(map(str, gpu.grid)),
        "Clock rate": gpu.clock_rate,
        "Total constant memory": gpu.constant_memory,
        "Texture alignment": gpu.texture_alignment,
        "Concurrent copy and execution": _yes(gpu.overlaps_copies),
        "Number of multiprocessors": gpu.multiprocessors,
        "Kernel execution timeout": _yes(gpu.kernel_timeout),
    }


def _yes(value: bool) -> str:
    return "Yes" if value else "No"
