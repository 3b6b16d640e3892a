"""Draw a net into a file, as Caffe's python/draw_net.py does.

    python tools/draw_net.py NET.prototxt PICTURE [--rankdir LR] [--phase ALL|TRAIN|TEST] [--display_lrm]

.svg and .png are drawn without any other program, other formats by Graphviz and pydot.  `minicaffe draw`
shows shapes and costs as well."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from minicaffe.drawing.layout import DIRECTIONS
from minicaffe.errors import MiniCaffeError
from minicaffe.proto import upgrade
from minicaffe.proto.schema import TEST, TRAIN
from minicaffe.pycaffe.draw import draw_net_to_file

PHASES = {"ALL": None, "TRAIN": TRAIN, "TEST": TEST}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Draw a net.")
    parser.add_argument("input_net_proto_file", help="a net prototxt")
    parser.add_argument("output_image_file", help="the picture: .svg, .png, or what Graphviz writes")
    parser.add_argument("--rankdir", choices=DIRECTIONS, default="LR", help="where data flows (default LR)")
    parser.add_argument("--phase", choices=PHASES, default="ALL", help="which layers (default ALL)")
    parser.add_argument("--display_lrm", action="store_true", help="show learning rates of weights")
    args = parser.parse_args(arguments)
    try:
        net = upgrade.read_net(args.input_net_proto_file)
        print(f"Drawing net to {args.output_image_file}")
        phase = PHASES[args.phase]
        draw_net_to_file(net, args.output_image_file, args.rankdir, phase, args.display_lrm)
    except MiniCaffeError as error:
        print(f"draw_net.py: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
