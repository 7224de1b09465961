"""Readers: one module for each file format, each giving [`Document`]s."""

from .files import FORMATS, load_documents, read_documents, read_places

__all__ = ["FORMATS", "load_documents", "read_documents", "read_places"]
