"""The nets of prototxt/ that are too long to write by hand: a module per family, each of layers and comments.

`tools/make_nets.py` writes them.
"""
