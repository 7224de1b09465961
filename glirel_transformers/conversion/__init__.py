"""Checkpoints of the original packages `glirel` and `glidre`, to this package's format and back.

```python
from glirel_transformers.conversion import convert, revert

convert("jackboyla/glirel-large-v0", "glirel-large")  # reads a folder or a Hub repository
revert("glirel-large", "glirel-large-original")
```
"""

from .conversion import convert, revert

__all__ = ["convert", "revert"]
