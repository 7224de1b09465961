"""Writers: documents in the formats that tools and other libraries read, one module for each kind."""

from .files import WRITERS, write_documents
from .label_studio import labeling_config

__all__ = ["WRITERS", "labeling_config", "write_documents"]
