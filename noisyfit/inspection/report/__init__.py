"""A page on which people review suspicious labels.

`judgement` ranks the rows, `contents` and `thumbnails` make them showable, `pictures` draws the
summary, `page` puts everything into the files of `template`, and `label_report` is what users see.
"""

from .label_report import LabelReport

__all__ = ["LabelReport"]
