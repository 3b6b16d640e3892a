"""Layers that scale by a local or global norm."""
