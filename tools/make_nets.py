"""Write the nets of prototxt/ that are too long to write by hand.

    python tools/make_nets.py

What they are made of is in tools/nets/; solvers and READMEs are written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from minicaffe.files import write_atomic

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.nets import alexnet, cifar10, enet, googlenet, mnist, mobilenet_ssd, squeezenet

PROTOTXT = Path(__file__).resolve().parent.parent / "prototxt"


def nets() -> dict[str, str]:
    """Path below prototxt/ -> what it holds."""
    folders = {
        "alexnet": alexnet.files(alexnet.ALEXNET),
        "caffenet": alexnet.files(alexnet.CAFFENET),
        "googlenet": googlenet.files(),
        "enet": enet.files(),
        "squeezenet": squeezenet.files(),
        "mobilenet_ssd": mobilenet_ssd.files(),
        "cifar10_quick": cifar10.quick_files(),
        "cifar10_full": cifar10.full_files(),
        "siamese": mnist.siamese_files(),
        "autoencoder": mnist.autoencoder_files(),
    }
    return {f"{folder}/{name}": text for folder, files in folders.items() for name, text in files.items()}


if __name__ == "__main__":
    for path, text in nets().items():
        write_atomic(PROTOTXT / path, text.encode())
