"""Documents with their mentions and relations: schema, readers and splits."""

from .readers import load_documents, read_documents, write_documents
from .schema import Document, Mention, Relation
from .splits import count_entity_types, count_relation_types, is_held_out, text_hash

__all__ = [
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
