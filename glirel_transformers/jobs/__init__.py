"""Extraction from many texts: read lazily, worked on in chunks, and written so that a run can be continued."""

from .output import Counts, ResumableOutput
from .records import Malformed
from .run import (
    Engine,
    Observer,
    OnError,
    Outcome,
    local_engine,
    read_chunks,
    render,
    stream_records,
    write_resumably,
)
from .sources import Chunk, Item, Kind, Source, existing_path, find_sources, read_items
from .worker import Alignment, ChunkResult, ExtractionSettings, Extractor, Precision, Truncation

__all__ = [
    "Alignment",
    "Chunk",
    "ChunkResult",
    "Counts",
    "Engine",
    "ExtractionSettings",
    "Extractor",
    "Item",
    "Kind",
    "Malformed",
    "Observer",
    "OnError",
    "Outcome",
    "Precision",
    "ResumableOutput",
    "Source",
    "Truncation",
    "existing_path",
    "find_sources",
    "local_engine",
    "read_chunks",
    "read_items",
    "render",
    "stream_records",
    "write_resumably",
]
