"""Caffe's upgrade_net_proto_binary: `minicaffe upgrade_net_proto_binary`, whose --help says more."""

import sys

from minicaffe.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["upgrade_net_proto_binary", *sys.argv[1:]]))
