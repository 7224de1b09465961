"""Checkpoints of the original package `glirel`."""

from .original import convert, revert

__all__ = ["convert", "revert"]
