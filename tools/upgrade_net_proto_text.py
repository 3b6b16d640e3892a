"""Caffe's upgrade_net_proto_text: `minicaffe upgrade_net_proto_text`, whose --help says more."""

import sys

from minicaffe.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["upgrade_net_proto_text", *sys.argv[1:]]))
