"""What a run was made on."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib import metadata
from typing import Any

from minicaffe.device.cpu import CpuDevice

PACKAGES = (
    *("numpy", "numba", "cupy-cuda12x", "cupy-cuda13x", "torch"),
    *("nvidia-cublas", "nvidia-cublas-cu12", "nvidia-cudnn-cu13", "nvidia-cudnn-cu12"),
)
QUERY = {
    "driver_version": "Driver",
    "clocks.max.sm": "Highest clock",
    "clocks.max.mem": "Highest memory clock",
    "power.limit": "Power limit",
}


def describe(device: Any) -> dict[str, str]:
    """The GPU and its driver, the processor, and versions of all that takes part."""
    found = {**device.describe(), **_smi(device.number)}
    runtime = device.runtime.runtimeGetVersion()
    found["CUDA runtime"] = f"{runtime // 1000}.{runtime % 1000 // 10}"
    for name, opened in (("cuBLAS", lambda: device.blas), ("cuDNN", lambda: device.dnn)):
        try:
            library = opened()
            found[name] = str(getattr(library, "version", "found")) if library else "not found"
        except Exception as error:
            found[name] = f"cannot be used: {error}"
    found["Processor"] = CpuDevice().describe()["Processor"]
    found["System"], found["Python"] = platform.platform(), platform.python_version()
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    found.pop("Products", None)
    return found


def _smi(number: int) -> dict[str, str]:
    """What nvidia-smi adds, where it is."""
    if not shutil.which("nvidia-smi"):
        return {}
    command = ["nvidia-smi", f"--id={number}", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return dict(zip(QUERY.values(), map(str.strip, told.split(","))))
