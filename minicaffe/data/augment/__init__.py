"""Random changes of training images: what a net's augment_param asks for.

reading       the message, checked, as the compiled code takes it
augmentation  batches of images, changed
"""
