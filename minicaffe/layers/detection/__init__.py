"""Layers of detectors: boxes, and what is in them."""
