"""Layers that end a path."""
