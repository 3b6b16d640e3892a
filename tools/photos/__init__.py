"""Photos of handwritten digits, drawn by program from digits that were held out of training."""

from .scene import KINDS, Photo, draw, held_out
from .single import photographed, rotated, shifted

__all__ = ["KINDS", "Photo", "draw", "held_out", "photographed", "rotated", "shifted"]
