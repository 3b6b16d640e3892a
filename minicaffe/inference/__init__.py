"""Trained nets at work on images: `Classifier` says what they show, `Detector` where, `Segmenter` what every
pixel is of.

preparation.py   an image of any size becomes what the net was trained on
ground.py        ink on paper, where a net knows light on dark
classifier.py    a net, its weights and labels: certainties of images
heads.py         what detectors end in: rows of SSD and YOLO, or the regions of R-CNN
detector.py      classes, scores and boxes of images; boxes.py: drawn into them
segmenter.py     the class of every pixel; palette.py: colours of classes
files.py         the images that a command line names
"""

from .classifier import Answer, Classifier
from .detector import Detector, Sight, Thing
from .segmenter import Segmentation, Segmenter

__all__ = ["Answer", "Classifier", "Detector", "Segmentation", "Segmenter", "Sight", "Thing"]
