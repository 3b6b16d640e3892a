"""What CUDA and CuPy say when something fails, as one line that names the remedy."""

from __future__ import annotations

from ..errors import DeviceError

OLDEST_ARCH = {
    13: 75
}  # ten times the least compute capability that NVRTC compiles for, by CUDA's major version

_KERNEL = (
    "this process cannot use the GPU any more: start it again; under CUDA_LAUNCH_BLOCKING=1 the call that"
    " fails is the one that says so"
)
_UNKNOWN = "this CUDA does not know the GPU: pip install --upgrade 'minicaffe[cuda13]'"
_MEMORY = "make the batch smaller, or end what else uses the GPU: nvidia-smi lists it"
_TAKEN = "another process has the GPU for itself: nvidia-smi lists them"
# By the names of cudaError_t and of CUresult, without their beginnings and underscores.
HINTS = {
    "illegaladdress": _KERNEL,
    "misalignedaddress": _KERNEL,
    "invalidaddressspace": _KERNEL,
    "invalidpc": _KERNEL,
    "illegalinstruction": _KERNEL,
    "hardwarestackerror": _KERNEL,
    "assert": _KERNEL,
    "launchfailure": _KERNEL,
    "launchfailed": _KERNEL,
    "launchtimeout": "the watchdog of a display ended a kernel: use a GPU without one, or a smaller batch",
    "eccuncorrectable": "the GPU's memory is faulty (nvidia-smi -q -d ECC): use another GPU",
    "memoryallocation": _MEMORY,
    "outofmemory": _MEMORY,
    "devicesunavailable": _TAKEN,
    "deviceunavailable": _TAKEN,
    "nokernelimagefordevice": _UNKNOWN,
    "nobinaryforgpu": _UNKNOWN,
    "unsupportedptxversion": "the driver is older than the compiler: update the driver",
}


def explained(error: Exception, asked: str) -> DeviceError:
    """An error of CUDA's runtime or driver; `asked` says which GPU."""
    name = str(error).split(":")[0].strip().lower()
    for beginning in ("cudaerror", "cuda_error_"):
        name = name.removeprefix(beginning)
    return DeviceError(f"{asked}: {first_line(error)}", hint=HINTS.get(name.replace("_", ""), ""))


def not_compiled(error: Exception, asked: str, arch: int) -> DeviceError:
    """An error of CuPy's when a kernel is compiled and loaded: what NVRTC says of the source; or the
    installation is to blame, for want of a compiler, of headers, or of a compiler that knows the GPU."""
    text = str(error)
    if "--gpu-architecture" in text:
        return unknown_arch(asked, arch, "this NVRTC")
    if "libnvrtc" in text or "CUDA headers" in text:
        return DeviceError(
            f"{asked}: CuPy finds no {'NVRTC' if 'libnvrtc' in text else 'CUDA headers'}, which it compiles"
            " kernels with",
            hint="pip install 'minicaffe[cuda13]', or 'minicaffe[cuda12]' beside cupy-cuda12x, brings them",
        )
    return DeviceError(f"{asked}: a kernel cannot be compiled: {first_line(error)}")


def unknown_arch(asked: str, arch: int, compiler: str) -> DeviceError:
    """No machine code for a GPU: it is too old for this CUDA, or too new."""
    old = arch < OLDEST_ARCH[13]
    remedy = "pip uninstall cupy-cuda13x, then pip install 'minicaffe[cuda12]'" if old else _UNKNOWN
    return DeviceError(
        f"{asked}: {compiler} does not compile for its compute capability, {arch // 10}.{arch % 10}",
        hint=remedy,
    )


def first_line(error: Exception) -> str:
    """Of what it says, or its type if it says nothing."""
    return (str(error).strip() or type(error).__name__).split("\n")[0]
