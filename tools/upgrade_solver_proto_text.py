"""Caffe's upgrade_solver_proto_text: `minicaffe upgrade_solver_proto_text`, whose --help says more."""

import sys

from minicaffe.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["upgrade_solver_proto_text", *sys.argv[1:]]))
