"""Trained nets at work on images: `Classifier` says what they show.

preparation.py   an image of any size becomes what the net was trained on
ground.py        ink on paper, where a net knows light on dark
classifier.py    a net, its weights and labels: certainties of images
files.py         the images that a command line names
"""

from .classifier import Answer, Classifier

__all__ = ["Answer", "Classifier"]
