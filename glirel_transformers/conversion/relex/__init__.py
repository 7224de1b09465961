"""Checkpoints of GLiNER-Relex, in the format of the package `gliner`."""

from .original import convert, revert

__all__ = ["convert", "revert"]
