"""Checkpoints of the original package `glidre`."""

from .original import convert, revert

__all__ = ["convert", "revert"]
