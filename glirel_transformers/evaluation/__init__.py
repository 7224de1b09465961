"""Protocols that score a model on annotated documents."""

from .protocols import GoldPair, background_scores, gold_pairs, score_gold_pairs

__all__ = ["GoldPair", "background_scores", "gold_pairs", "score_gold_pairs"]
