"""The second front door: ``python -m noisyfit report data.csv --label target -o report.html``.

`main` reads the command and runs it, `table` reads and checks the file, `columns` decides what each
column is, `classifier` what judges the labels, and `progress` shows how far it is.
"""

from .main import main

__all__ = ["main"]
