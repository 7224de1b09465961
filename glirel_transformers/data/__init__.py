"""Documents with their mentions and relations: schema, readers, writers and splits."""

from .readers import FORMATS, load_documents, read_documents
from .schema import Document, Mention, Relation
from .splits import count_entity_types, count_relation_types, is_held_out, text_hash
from .writers import WRITERS, write_documents

__all__ = [
    "FORMATS",
    "WRITERS",
    "Document",
    "Mention",
    "Relation",
    "count_entity_types",
    "count_relation_types",
    "is_held_out",
    "load_documents",
    "read_documents",
    "text_hash",
    "write_documents",
]
