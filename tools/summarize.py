"""List the layers of a net, as Caffe's tools/extra/summarize.py does: `minicaffe summary` under its name.

python tools/summarize.py NET [--phase TRAIN|TEST] [--json] ...
"""

from __future__ import annotations

import sys

from minicaffe.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["summary", *sys.argv[1:]]))
