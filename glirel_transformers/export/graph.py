"""From a model to a graph: `torch.export` programs, and ONNX.

`torch.export` unrolls an LSTM over the words of the sample. In an ONNX graph the LSTM operator takes its place, which
reads each text within its own length in both directions; in a `torch.export` program it stays the operator that it is.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from .reference import longest_input
from .tensors import TYPE_STATES
from .traced import FoundEntities, PairScores, Scores, TypeStates

if TYPE_CHECKING:
    from onnx_ir import Model

    from glirel_transformers.encoding_glirel import WordLSTM
    from glirel_transformers.heads_glirel import GLiRELHead

    from .config import GLiRELExporterConfig, GLiRELRelationsExporterConfig, GLiRELTypesExporterConfig

    Part: TypeAlias = GLiRELExporterConfig | GLiRELTypesExporterConfig | GLiRELRelationsExporterConfig

DEFAULT_OPSET = 20  # the first with GELU as an operator; ONNX Runtime reads it since 1.17
LOWEST_OPSET = 18  # what torch translates to; older versions would be converted down
HIGHEST_OPSET = 22  # 23 has rotary embeddings as an operator, which torch gives tables of a size that it refuses
NUM_TRACED_TOKENS = 23  # of the sample, where the model reads as many
_LARGEST_FILE = 1_900_000_000  # bytes of weights; the whole file must stay below 2³¹


class OnnxWordLSTM(nn.Module):
    """The ONNX operator LSTM with the weights of a [`WordLSTM`]; only to be traced, for it computes nothing."""

    input_weight: Tensor
    hidden_weight: Tensor
    bias: Tensor

    def __init__(self, lstm: WordLSTM):
        super().__init__()
        self.hidden_size: int = lstm.forward_lstm.hidden_size
        directions = (lstm.forward_lstm, lstm.backward_lstm)
        weights = {
            "input_weight": [self._reorder(one, "weight_ih_l0") for one in directions],
            "hidden_weight": [self._reorder(one, "weight_hh_l0") for one in directions],
            "bias": [
                torch.cat([self._reorder(one, "bias_ih_l0"), self._reorder(one, "bias_hh_l0")]) for one in directions
            ],
        }
        for name, tensors in weights.items():
            self.register_buffer(name, torch.stack(tensors))
        self.deeper = nn.ModuleList(OnnxWordLSTM(layer) for layer in lstm.deeper)  # type: ignore[arg-type]

    @staticmethod
    def _reorder(lstm: nn.LSTM, name: str) -> Tensor:
        """A parameter's rows.

        From torch's order of the gates (input, forget, cell, output) to that of ONNX (input, output, forget, cell).
        """
        of_input, of_forget, of_cell, of_output = lstm.get_parameter(name).detach().chunk(4)
        return torch.cat([of_input, of_output, of_forget, of_cell])

    def forward(self, word_states: Tensor, word_mask: Tensor) -> Tensor:
        # As in eager mode one more word is always there, and dropped: the operator refuses a sequence without any.
        states = functional.pad(word_states, (0, 0, 0, 1)).transpose(0, 1)
        num_words, num_batch, _ = states.shape
        (output,) = torch.onnx.ops.symbolic_multi_out(
            "::LSTM",
            (states, self.input_weight, self.hidden_weight, self.bias, word_mask.sum(dim=1, dtype=torch.int32)),
            {"direction": "bidirectional", "hidden_size": self.hidden_size},
            dtypes=(states.dtype,),
            shapes=((num_words, 2, num_batch, self.hidden_size),),
        )
        states = output[:-1].permute(2, 0, 1, 3).flatten(2)
        for layer in self.deeper:
            states = layer(states, word_mask)
        return states


@contextmanager
def _onnx_lstm(model: GLiRELHead) -> Iterator[None]:
    """Puts the ONNX operator in the place of the model's LSTM, where it has one."""
    base, original = model.glirel, model.glirel.lstm
    if original is not None:
        base.lstm = OnnxWordLSTM(original)  # type: ignore[assignment]  # stands in for it
    try:
        yield
    finally:
        base.lstm = original


@contextmanager
def lstm_kept_whole() -> Iterator[None]:
    """Lets `torch.export` keep an LSTM as one operator, for any number of words."""
    try:
        from torch.export._patches import register_lstm_while_loop_decomposition
    except ImportError as error:
        raise ImportError(
            "Programs of models with an LSTM need a later torch, such as 2.13. Upgrade it, or export to ONNX."
        ) from error
    with register_lstm_while_loop_decomposition():
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps to itself what torch's exporter says about packages that are not needed and about its own code."""
    noisy = [logging.getLogger("torch.onnx._internal.exporter._registration"), logging.getLogger("onnxscript")]
    levels = [logger.level for logger in noisy]
    for logger in noisy:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(noisy, levels, strict=True):
            logger.setLevel(level)


def _module(model: GLiRELHead, names: tuple[str, ...]) -> nn.Module:
    """What is traced for outputs of these names."""
    if TYPE_STATES in names:
        return TypeStates(model)
    if not model.finds_entities:
        return Scores(model, names)
    return FoundEntities(model, names) if "entity_logits" in names else PairScores(model, names)


def _trace(model: GLiRELHead, config: Part) -> torch.export.ExportedProgram:
    shapes = {name: dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for name, axes in config.inputs.items()}
    sizes = {"sequence_length": longest_input(model, at_most=NUM_TRACED_TOKENS)}
    reads_types = TYPE_STATES in config.outputs
    module = _module(model, tuple(config.outputs))
    try:
        with torch.no_grad():
            return torch.export.export(
                module, (), config.generate_dummy_inputs(**sizes), dynamic_shapes=shapes, strict=False
            )
    except Exception as error:  # torch.export raises what it likes
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        read_by = model.config.label_encoder_config if reads_types else None
        raise ValueError(
            f"The encoder {(read_by or model.config.encoder_config).model_type!r} cannot be exported: torch.export "
            f"fails on its code: {reason.strip()[:300]}"
        ) from error


def to_program(model: GLiRELHead, config: Part) -> torch.export.ExportedProgram:
    """The model as a `torch.export` program, which takes and gives tensors by name.

    Args:
        model: in evaluation mode.
        config: of its export, or of the part that reads relation types.
    """
    with _quiet(), lstm_kept_whole() if model.config.use_lstm else nullcontext():
        return _trace(model, config)


def to_onnx(model: GLiRELHead, config: Part, opset: int) -> Model:
    """The model as an ONNX graph (`onnx_ir.Model`), with its axes named.

    Args:
        model: in evaluation mode, on a CPU.
        config: of its export, or of the part that reads relation types.
        opset: version of the ONNX operators.
    """
    with _quiet(), _onnx_lstm(model):
        program = torch.onnx.export(
            _trace(model, config),
            dynamo=True,
            input_names=list(config.inputs),
            output_names=list(config.outputs),
            dynamic_shapes=config.inputs,
            opset_version=opset,
            verbose=False,
        )
    assert program is not None  # with dynamo=True there always is one
    return program.model


def save_graph(graph: Model, file: Path) -> None:
    """Writes a graph as one file; above 2 GB, which is what such a file can hold, weights lie next to it."""
    import onnx_ir

    size = sum(
        value.const_value.nbytes for value in graph.graph.initializers.values() if value.const_value is not None
    )
    onnx_ir.save(graph, file, external_data=f"{file.name}.data" if size > _LARGEST_FILE else None)
