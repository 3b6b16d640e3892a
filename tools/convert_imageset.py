"""Caffe's convert_imageset: `minicaffe convert_imageset`, whose --help says more."""

import sys

from minicaffe.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["convert_imageset", *sys.argv[1:]]))
