"""Records of extraction as files: JSON lines, CSV, GraphML and Turtle.

A record is a dictionary with `text`, `entities` (each with `start`, `end`, `text`, `label`) and `relations` as the
pipeline returns them; where it comes from is in `source`, `line` and `id`, each of which may be absent. A relation
whose `score` is `None` or absent was added by a person. All functions take any iterable of records and read it once.

A graph has an edge for every mention of a relation; a graph of `once_per_pair(records)` has one for each pair of
entities.
"""

from .documents import records_of
from .facts import once_per_pair
from .graphs import to_networkx, write_graphml
from .lines import write_csv, write_jsonl
from .turtle import to_rdflib, write_turtle
from .writers import SUFFIXES, WRITERS, Format, Writer

__all__ = [
    "SUFFIXES",
    "WRITERS",
    "Format",
    "Writer",
    "once_per_pair",
    "records_of",
    "to_networkx",
    "to_rdflib",
    "write_csv",
    "write_graphml",
    "write_jsonl",
    "write_turtle",
]
