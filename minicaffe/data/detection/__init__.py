"""Images in which objects are marked by boxes, as detectors are trained on them.

boxes          the objects of an image, and what becomes of them in a part of it
records        what a source holds, and how it is decoded
label_map      the numbers of the classes
voc, coco, database   sources: folders of PASCAL VOC, files of COCO, databases of SSD's fork
pixels         such images as R-CNN learns from them, in pixels
draws          random numbers of a batch of images
sampling       parts of images that meet a constraint
distortion     random changes of colours, and the larger ground that an image is put on
noise          the fixed changes of noise_param
fitting        how images come to one size, and their boxes with them; by resampling
settings       the messages that ask for all that, checked
batches        batches of images and the rows of their boxes
"""
