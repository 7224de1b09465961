"""One graph of an export, run on arrays of numpy or tensors of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers.utils import is_torch_available

if is_torch_available():
    import torch
if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import Tensor

    from .sessions import Device


class Graph:
    """A graph on a session of ONNX Runtime.

    Args:
        session: of one file.
    """

    def __init__(self, session: InferenceSession):
        self.session = session
        self._axes = {argument.name: argument.shape for argument in session.get_inputs()}
        self._axes_given = {argument.name: argument.shape for argument in session.get_outputs()}

    @property
    def inputs(self) -> list[str]:
        """Names of what it takes."""
        return list(self._axes)

    @property
    def outputs(self) -> list[str]:
        """Names of what it gives."""
        return list(self._axes_given)

    def run(self, given: Mapping[str, Any], device: Device) -> dict[str, Any]:
        """The outputs by name: numpy arrays for numpy arrays, or else tensors on the device.

        Args:
            given: all inputs, of one kind.
            device: where tensors are.
        """
        if not _are_arrays(given) and str(device).startswith("cuda"):
            return self.run_bound(given, device)
        return self.run_on_host(given)

    def run_on_host(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Inputs are read where they lie, and outputs are not copied either."""
        arrays = {name: np.ascontiguousarray(given[name]) for name in self.inputs}
        outputs = dict(zip(self.outputs, self.session.run(self.outputs, arrays), strict=True))
        if _are_arrays(given):
            return outputs
        return {name: torch.from_numpy(array) for name, array in outputs.items()}

    def run_bound(self, given: Mapping[str, Tensor], device: Device) -> dict[str, Tensor]:
        """Inputs and outputs stay on the GPU: ONNX Runtime reads and writes torch's memory."""
        binding = self.session.io_binding()
        device = torch.device(device)
        where = {"device_type": device.type, "device_id": device.index or 0}
        inputs = {name: given[name].contiguous() for name in self.inputs}
        outputs = {name: torch.empty(shape, device=device) for name, shape in self._shapes(inputs).items()}
        held: list[Tensor] = []
        for bind, tensors in ((binding.bind_input, inputs), (binding.bind_output, outputs)):
            for name, tensor in tensors.items():
                kind = torch.empty(0, dtype=tensor.dtype).numpy().dtype.type
                held.append(tensor if tensor.numel() else tensor.new_empty(1))  # what is empty has no address
                bind(name, **where, element_type=kind, shape=tuple(tensor.shape), buffer_ptr=held[-1].data_ptr())
        if device.type == "cuda":  # ONNX Runtime has a stream of its own
            torch.cuda.current_stream(device).synchronize()
        self.session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return outputs

    def _shapes(self, given: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """The shapes of the outputs: an axis has the same name wherever it is."""
        sizes: dict[object, int] = {}
        for name, tensor in given.items():
            sizes.update(zip(self._axes[name], tensor.shape, strict=True))
        return {name: tuple(sizes.get(axis, axis) for axis in axes) for name, axes in self._axes_given.items()}


def _are_arrays(given: Mapping[str, object]) -> bool:
    return all(isinstance(value, np.ndarray) for value in given.values())


__all__ = ["Graph"]
