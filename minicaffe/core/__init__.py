"""What every layer is made of: blobs, the layer's life cycle, and the bases that groups of layers share."""
