"""Augmentation of image batches, for the ``train_transform`` of every network estimator.

A transform takes a batch of images (n, channels, height, width) and returns one. Any callable will
do, those of ``torchvision.transforms.v2`` too (which change all images of a batch alike). What is
random has to come from torch's generators to be reproducible by ``random_state``.
"""

from .crop_and_flip import RandomCropAndFlip

__all__ = ["RandomCropAndFlip"]
