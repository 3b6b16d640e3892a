"""What is installed: the package, its data, and the nets of prototxt/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from .support.running import PROTOTXT, ROOT

# As setuptools would build it, without building: include_package_data would write an egg-info here.
LIST = """
from setuptools.dist import distutils
dist = distutils.core.run_setup("setup.py", stop_after="commandline")
dist.include_package_data = False
command = dist.get_command_obj("build_py")
command.build_lib = ""
command.ensure_finalized()
print("\\n".join(command.get_outputs(include_bytecode=0)))
"""


def wanted() -> set[str]:
    """The sources of the package, the page of the studio, and the nets, by their names in a wheel."""
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "minicaffe").rglob("*.py")}
    nets = [path for path in PROTOTXT.rglob("*") if path.suffix in (".prototxt", ".md")]
    sources |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "minicaffe/studio/static").iterdir()}
    return sources | {f"minicaffe/prototxt/{path.relative_to(PROTOTXT).as_posix()}" for path in nets}


def test_the_nets_are_installed():
    pytest.importorskip("setuptools")
    result = subprocess.run([sys.executable, "-c", LIST], cwd=ROOT, capture_output=True, text=True)
    files = set(result.stdout.split())
    assert wanted() <= files, result.stderr
    assert {"minicaffe/py.typed", "minicaffe/kernels/gemm.cu", "minicaffe/proto/caffe.desc"} <= files
    assert not any(name.startswith("minicaffe/prototxt") and name.endswith(".py") for name in files)


@pytest.mark.slow
def test_a_wheel_installed_elsewhere(tmp_path):
    """Built, installed into an environment of its own, run from another folder."""
    pytest.importorskip("build")
    source = tmp_path / "source"  # a copy: setuptools leaves files where it builds
    for folder in ("minicaffe", "prototxt"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    build = [sys.executable, "-m", "build", "--no-isolation", "-o", tmp_path / "dist", source]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    names = {name.partition("/")[2] for name in tarfile.open(sdist).getnames()}
    assert {path.relative_to(ROOT).as_posix() for path in PROTOTXT.rglob("*.prototxt")} <= names
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wanted() <= set(zipfile.ZipFile(wheel).namelist())

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "-q", "--python", python, "install", "--no-deps", wheel]
    subprocess.run(pip, check=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))  # behind what was installed

    (tmp_path / "elsewhere").mkdir()

    def minicaffe(*arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        result = subprocess.run(
            [python.with_name("minicaffe"), *arguments],
            cwd=tmp_path / "elsewhere",
            env=environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    assert "LeNet for 8 x 8 images" in minicaffe("new")
    log = minicaffe("train", "digits", "--iterations", "500")
    assert str(site) in log and "accuracy = 0.98" in log
    minicaffe("new", "lenet", "x")
    assert "x/deploy.prototxt: ok" in minicaffe("check", "x/deploy.prototxt")
    made = {path.name for path in Path(tmp_path, "elsewhere").iterdir()}
    assert {"x", "digits_iter_500.caffemodel"} <= made
