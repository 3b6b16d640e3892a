"""Layers that multiply by weights."""
