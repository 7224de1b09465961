"""Extraction from many texts: read lazily, processed in chunks, and written so that a run can be resumed."""

from typing import TYPE_CHECKING

from glirel_transformers._lazy import loader_of

if TYPE_CHECKING:
    from .choices import Alignment as Alignment
    from .choices import Kind as Kind
    from .choices import OnError as OnError
    from .choices import Precision as Precision
    from .choices import Truncation as Truncation
    from .output import Counts as Counts
    from .output import ResumableOutput as ResumableOutput
    from .records import Malformed as Malformed
    from .run import Engine as Engine
    from .run import Observer as Observer
    from .run import Outcome as Outcome
    from .run import local_engine as local_engine
    from .run import read_chunks as read_chunks
    from .run import render as render
    from .run import stream_records as stream_records
    from .run import write_resumably as write_resumably
    from .sources import Chunk as Chunk
    from .sources import Item as Item
    from .sources import Source as Source
    from .sources import existing_path as existing_path
    from .sources import find_sources as find_sources
    from .sources import read_items as read_items
    from .worker import ChunkResult as ChunkResult
    from .worker import ExtractionSettings as ExtractionSettings
    from .worker import Extractor as Extractor
    from .worker import encode_types as encode_types
    from .worker import with_background as with_background

# Loaded when they are asked for: the options of `glirel extract` are checked before torch is imported.
_HOMES = {
    "Alignment": "choices",
    "Chunk": "sources",
    "ChunkResult": "worker",
    "Counts": "output",
    "Engine": "run",
    "ExtractionSettings": "worker",
    "Extractor": "worker",
    "Item": "sources",
    "Kind": "choices",
    "Malformed": "records",
    "Observer": "run",
    "OnError": "choices",
    "Outcome": "run",
    "Precision": "choices",
    "ResumableOutput": "output",
    "Source": "sources",
    "Truncation": "choices",
    "encode_types": "worker",
    "existing_path": "sources",
    "find_sources": "sources",
    "local_engine": "run",
    "read_chunks": "run",
    "read_items": "sources",
    "render": "run",
    "stream_records": "run",
    "with_background": "worker",
    "write_resumably": "run",
}

__all__ = sorted(_HOMES)

__getattr__ = loader_of(__name__, _HOMES)
