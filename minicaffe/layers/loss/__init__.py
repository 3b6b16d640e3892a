"""Layers that compare predictions with targets."""
