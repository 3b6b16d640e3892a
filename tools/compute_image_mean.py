"""Caffe's compute_image_mean: `minicaffe compute_image_mean`, whose --help says more."""

import sys

from minicaffe.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["compute_image_mean", *sys.argv[1:]]))
