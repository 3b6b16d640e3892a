"""Layers that bring data into the net."""
