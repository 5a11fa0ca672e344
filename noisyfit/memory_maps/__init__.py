"""Rows from any iterator, Parquet or Arrow file as memory maps on disk, to fit estimators on."""

from noisyfit.memory_maps.rows import MappedRows, map_rows

__all__ = ["MappedRows", "map_rows"]
