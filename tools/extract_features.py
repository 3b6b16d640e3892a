"""Caffe's extract_features: `minicaffe extract_features`, whose --help says more."""

import sys

from minicaffe.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["extract_features", *sys.argv[1:]]))
