"""Layers of detectors: regions of images, and what is found in them."""
