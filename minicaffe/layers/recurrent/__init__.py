"""Layers whose steps follow each other in time."""
