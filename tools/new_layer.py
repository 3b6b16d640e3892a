"""Write the skeleton of a layer that works element by element.

    python tools/new_layer.py HardSign

It is what docs/howto/a_layer_of_your_own.md prints, under another name: the two halves of the kernels, the
layer and a test with cases, each a file, and a line in the index.  The layer computes softsign until it is
changed, and passes every law as it stands.
"""

from __future__ import annotations

import argparse
import keyword
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from minicaffe.errors import ConfigError
from minicaffe.files import write_together
from minicaffe.proto.layer_types import LAYERS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "howto" / "a_layer_of_your_own.md"
INDEX = "minicaffe/proto/layer_types.py"
SAMPLE = "Softsign"
FILE = re.compile(r"`((?:minicaffe|tests)/[\w/.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINE = re.compile(r'^    "(\w+)": "[\w.]+",$', re.MULTILINE)  # of the index


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="the type, as a prototxt names it: HardSign")
    name = parser.parse_args().name
    try:
        written = write(name)
    except ConfigError as error:
        parser.error(str(error))
    both = "tests/test_layers_catalogue.py tests/test_kernels_catalogue.py"
    print("\n".join(written))
    print("\nIt computes softsign until you change it.  What holds it to the laws, and what documents it:")
    print(f"    python -m pytest {written[-2]} tests/test_layer_facts.py")
    print(f'    python -m pytest {both} -k "{name} or {module_of(name)}"')
    print("    python tools/layer_reference.py")
    return 0


def write(name: str, root: Path = ROOT) -> list[str]:
    """Write the files of layer type `name` into a checkout, all of them or none; returns their paths, that of
    the index last.

    Raises ConfigError for a name that cannot be a type, and where one of the files is there already.
    """
    files = skeleton(name)
    for path in files:
        if (root / path).exists():
            raise ConfigError(f"{path} is there already", hint="choose another name")
    files[INDEX] = indexed(name, (root / INDEX).read_text())
    write_together({str(root / path): content.encode() for path, content in files.items()})
    return list(files)


def skeleton(name: str) -> dict[str, str]:
    """The files that are new, by path."""
    module = module_of(name)
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) or keyword.iskeyword(module):
        raise ConfigError(f"{name!r} cannot be a layer type", hint="a capital first, then letters and digits")
    if name in LAYERS:
        raise ConfigError(f"layer type {name} is there already", hint=f"minicaffe/layers, {LAYERS[name]}")

    def renamed(text: str) -> str:
        return text.replace(SAMPLE, name).replace(SAMPLE.lower(), module)

    return {renamed(path): renamed(content) for path, content in FILE.findall(PAGE.read_text())}


def indexed(name: str, index: str) -> str:
    """The index with a line for `name` in alphabetical order."""
    line = f'    "{name}": "neuron.{module_of(name)}",\n'
    behind = next((m for m in LINE.finditer(index) if m[1].lower() > name.lower()), None)
    at = behind.start() if behind else list(LINE.finditer(index))[-1].end() + 1
    return index[:at] + line + index[at:]


def module_of(name: str) -> str:
    """The name of a type's files: hard_sign for HardSign, lstm_unit for LSTMUnit, prelu for PReLU,
    l1_loss_ohem for L1LossOHEM, and warp_ctc_loss for WarpCTCLoss."""
    begins = r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z]{2})(?=[A-Z][a-z])"
    begins += r"|(?<=[a-z])(?=[A-Z]\d|[A-Z]{3,}(?:$|[A-Z][a-z]))"
    return re.sub(begins, "_", name).lower()


if __name__ == "__main__":
    sys.exit(main())
