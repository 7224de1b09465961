"""Readers: one module for each file format, each giving [`Document`]s."""

from .files import load_documents, read_documents, write_documents
from .normalised import document_from_normalised

__all__ = ["document_from_normalised", "load_documents", "read_documents", "write_documents"]
