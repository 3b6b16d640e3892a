"""The contract of layers: blobs, a layer's life cycle, fillers, random numbers, values noted for the host."""
