"""Registration with transformers' `Auto` classes and pipelines, as soon as transformers is imported, and not before.

Importing this package must not import transformers and torch: that takes seconds, which `glirel --help` does not have.
Yet whoever has imported both, in any order, expects `AutoModel.from_pretrained` and `pipeline` to know GLiREL.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_PACKAGE = __name__.partition(".")[0]


def register_when_imported() -> None:
    """Registers now, if transformers is imported already; else at the end of its import."""
    if "transformers" in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _AfterImport())


def register() -> None:
    """Registers GLiREL with the `Auto` classes and, where torch is installed, the pipeline; a second time in vain."""
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import is_torch_available

    from . import loading  # noqa: F401  (it gives the extractor of the Hub's files what loads exports by name)
    from .configuration_glirel import GLiRELConfig
    from .tokenization_glirel import GLiRELTokenizer

    AutoConfig.register(GLiRELConfig.model_type, GLiRELConfig, exist_ok=True)
    AutoTokenizer.register(GLiRELConfig, fast_tokenizer_class=GLiRELTokenizer, exist_ok=True)
    if not is_torch_available():
        return
    from transformers import AutoModel
    from transformers.pipelines import PIPELINE_REGISTRY

    from .modeling_glirel import GLiRELForJointExtraction, GLiRELForRelationClassification
    from .pipeline_glirel import TASK, RelationExtractionPipeline

    # Of several, it takes the one that the configuration names in `architectures`, or else the first.
    AutoModel.register(GLiRELConfig, (GLiRELForRelationClassification, GLiRELForJointExtraction), exist_ok=True)
    if TASK not in PIPELINE_REGISTRY.supported_tasks:  # it warns of a second time
        PIPELINE_REGISTRY.register_pipeline(
            TASK, pipeline_class=RelationExtractionPipeline, pt_model=AutoModel, type="text"
        )


class _AfterImport(MetaPathFinder):
    """Finds modules as the other finders do, and registers at the end of the import that brought transformers.

    That may be the import of a module of this package, such as `modeling_glirel`, which imports transformers before it
    has defined what is registered. Hence both are watched, and the end of the outermost import counts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_running = 0  # imports of this package's modules, in all threads

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        is_ours = fullname.startswith(f"{_PACKAGE}.")
        if not is_ours and fullname != "transformers":
            return None
        finders = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(fullname, path, target) for finder in finders)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                self._count(is_ours)
                try:
                    execute(module)
                finally:
                    num_running = self._count(-is_ours)
                if num_running == 0 and "transformers" in sys.modules:
                    self._register()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _count(self, change: int) -> int:
        with self._lock:
            self._num_running += change
            return self._num_running

    def _register(self) -> None:
        """Registers, unless another thread is in the middle of an import that is needed, and will register itself.

        Threads do not wait for each other here: each holds locks of modules that the other may need.
        """
        failure: ImportError | None = None
        for _ in range(2):
            self._count(1)  # so that what is imported for it does not register
            try:
                register()
            except ImportError as error:
                failure = error
            else:
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                return
            finally:
                num_running = self._count(-1)
            if num_running:
                return
        if failure is not None:
            raise failure
