"""Layers that rearrange, combine and repeat blobs."""
