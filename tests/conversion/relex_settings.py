"""Settings of GLiNER-Relex models that the original has as well: each of its own, once."""

from __future__ import annotations

from typing import Any

from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.triples_glirel import TRIPLE_SCORERS, DistanceScorer

COMMON: dict[str, Any] = {
    **SYSTEMS["relex"],
    "max_entity_width": 5,
    "max_words": 60,
    "prompt_separators": "each",
    "word_splitting": "ascii_hyphens",
}
TOKEN: dict[str, Any] = {"entity_finder": "token", "max_entity_width": None}
_MENTIONS = ("marker", "query", "mlp", "cat", "conv_conv", "conv_max", "conv_mean", "conv_sum", "conv_share")

SETTINGS: dict[str, dict[str, Any]] = {
    "spans": {},
    "tokens": TOKEN,
    "projected": {"hidden_size": 24},
    "two LSTMs": {"num_lstm_layers": 2},
    "no LSTM": {**TOKEN, "use_lstm": False},
    "fused layers": {"layer_fusion": "masked", "hidden_size": 16},
    **{f"{name} of sub-tokens": {"subtoken_pooling": name} for name in ("last", "mean", "max")},
    "behind the markers": {
        "relation_representation": "label_start",
        "entity_type_representation": "label_start",
    },
    "losses": {"entity_loss_weight": 2.0, "adjacency_loss_weight": 0.5, "relation_loss_weight": 3.0},
    **{
        f"pairs by {name}": {"pair_selection": name, **(TOKEN if place % 2 else {})}
        for place, name in enumerate(("dot", "bilinear", "mlp", "attention", "gcn", "gat"))
    },
    **{
        f"scored by {name}": {
            "scorer": name,
            "pair_representation": "ends",
            "distance_limit": 10.0 if issubclass(kind, DistanceScorer) else None,
            "hidden_size": 16,
        }
        for name, kind in TRIPLE_SCORERS.items()
    },
    "end points and mean": {"mention_representation": "endpoints_and_mean"},
    "end points and last": {"mention_representation": "endpoints_and_last"},
    **{name: {"mention_representation": name, "endpoint_projection": False} for name in _MENTIONS},
}
# Those that are converted there and back on every push; `make test-sweep` takes all.
CASES = ("spans", "tokens", "fused layers", "pairs by gat", "scored by triplere", "cat")
