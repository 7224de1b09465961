"""What the original GLiDRE computes for one document, in plain loops: an implementation to compare with.

It reads a folder in the original's format and shares no code with the package but the tokens of a document.
"""

from __future__ import annotations

import json

import torch
from torch.nn import functional
from transformers import AutoConfig, AutoModel

SKIPPED = ("_attn_implementation_autoset", "torch_dtype", "dtype", "architectures", "_name_or_path", "return_dict")


class NaiveGLiDRE:
    """A checkpoint of the original; `logits` are `(pairs, columns)` of all ordered pairs, row-major."""

    def __init__(self, folder):
        self.settings = json.loads((folder / "glidre_config.json").read_text(encoding="utf-8"))
        self.state = torch.load(folder / "pytorch_model.bin", weights_only=True)
        self.text_encoder = self.build("encoder_config", "token_rep_layer.bert_layer.model.")
        self.label_encoder = self.build("labels_encoder_config", "token_rep_layer.labels_encoder.model.")

    def build(self, key, prefix):
        content = {name: value for name, value in self.settings[key].items() if name not in SKIPPED}
        kind = content.pop("model_type")
        config = AutoConfig.for_model(kind, **content)
        encoder = AutoModel.from_config(config, attn_implementation="eager").eval()
        weights = {name.removeprefix(prefix): t for name, t in self.state.items() if name.startswith(prefix)}
        problems = encoder.load_state_dict(weights, strict=False)
        assert not [name for name in problems.missing_keys if "pooler" not in name]
        assert not problems.unexpected_keys
        return encoder

    def linear(self, name, x):
        return functional.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def feed_forward(self, name, x):
        return self.linear(f"{name}.3", functional.relu(self.linear(f"{name}.0", x)))

    def norm(self, name, x):
        return functional.layer_norm(x, x.shape[-1:], self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def encode(self, encoder, name, ids, mask):
        """States `(texts, tokens, width)` and the last layer's attention, of a padded batch."""
        output = encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True, output_attentions=True)
        if not self.settings.get("fuse_layers"):
            return output.last_hidden_state, output.attentions[-1]
        mixed = []
        for text in range(len(ids)):
            layers = [layer[text] for layer in output.hidden_states[1:]]
            means = torch.stack([self.linear(f"{name}.layers_fuser.squeeze", layer).mean() for layer in layers])
            inner = functional.relu(self.linear(f"{name}.layers_fuser.W1", means))
            weights = torch.sigmoid(self.linear(f"{name}.layers_fuser.W2", inner))
            total = sum(weight * layer for weight, layer in zip(weights, layers))
            mixed.append(self.linear(f"{name}.layers_fuser.output_projection", total))
        return torch.stack(mixed), output.attentions[-1]

    def project(self, name, x):
        return self.linear(name, x) if f"{name}.weight" in self.state else x

    def read_words(self, ids, first_tokens):
        """H `(words, hidden)` and A `(words, words)`; `first_tokens` are None for words without a token."""
        ids = torch.tensor([ids])
        states, attention = self.encode(
            self.text_encoder, "token_rep_layer.bert_layer", ids, torch.ones_like(ids)
        )
        states = self.project("token_rep_layer.projection", states[0])
        attention = attention[0].mean(0)
        zero = torch.zeros(states.shape[-1])
        words = torch.stack([zero if token is None else states[token] for token in first_tokens])
        between = torch.zeros(len(first_tokens), len(first_tokens))
        for row, one in enumerate(first_tokens):
            for column, other in enumerate(first_tokens):
                if one is not None and other is not None:
                    between[row, column] = attention[one, other]
        return words, between

    def read_labels(self, label_ids):
        longest = max(map(len, label_ids))
        ids = torch.tensor([[*one, *[0] * (longest - len(one))] for one in label_ids])
        mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in label_ids])
        states, _ = self.encode(self.label_encoder, "token_rep_layer.labels_encoder", ids, mask)
        vectors = []
        for row, one in enumerate(label_ids):
            projected = self.project("token_rep_layer.labels_projection", states[row, : len(one)])
            vectors.append(projected.mean(0))
        return torch.stack(vectors)

    def attend(self, name, kind, heads, asking, read):
        """A block: the residual is the normed input, and a block that reads itself has maps for queries and keys."""
        normed = self.norm(f"{name}.pre_norm", asking)
        queries, keys = normed, normed if read is None else read
        values = self.linear(f"{name}.v_proj", keys)
        if read is None:
            queries, keys = self.linear(f"{name}.q_proj", queries), self.linear(f"{name}.k_proj", keys)
        queries, keys, values = (
            self.linear(f"{name}.{kind}.{layer}_layer", x)
            for layer, x in (("query", queries), ("key", keys), ("value", values))
        )
        width = queries.shape[-1] // heads
        parts = []
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            scores = queries[:, part] @ keys[:, part].T / width**0.5
            parts.append(scores.softmax(-1) @ values[:, part])
        return self.norm(f"{name}.post_norm", normed + torch.cat(parts, dim=-1))

    def fuse(self, labels, words):
        schema = self.settings.get("post_fusion_schema")
        if not schema:
            return labels, words
        heads = self.settings["encoder_config"]["num_attention_heads"]
        for layer in range(3):
            for place, step in enumerate(schema.split("-")):
                name = f"cross_fuser.layers.{layer}.{place}"
                if step == "l2l":
                    labels = self.attend(name, "self_attn", heads, labels, None)
                elif step == "l2t":
                    labels = self.attend(name, "cross_attn", heads, labels, words)
                elif step == "t2t":
                    words = self.attend(name, "self_attn", heads, words, None)
                else:
                    words = self.attend(name, "cross_attn", heads, words, labels)
        return labels, words

    def places(self, mention, num_words):
        """The words of a mention: none where it starts past the end, fewer where it ends past it."""
        first, last = mention
        return [] if first >= num_words else list(range(max(first, 0), min(last, num_words - 1) + 1))

    def entity(self, mentions, others, words, attention):
        """An entity's vector and attention, next to another; words that are taken out still count."""
        num_words, listed, kept = len(words), [], []
        for rank, mention in enumerate(mentions):
            of_other = self.places(others[rank], num_words) if rank < len(others) else []
            for offset, place in enumerate(self.places(mention, num_words)):
                listed.append(place)
                at_other = of_other[offset] if offset < len(of_other) else 0
                if self.settings.get("self_rel", True) or place != at_other:
                    kept.append(place)
        count = len(listed) + 1e-7
        vector, attended = torch.zeros(words.shape[1]), torch.zeros(num_words)
        for place in kept:
            vector = vector + words[place] / count
            attended = attended + attention[place] / count
        if self.settings.get("pooling", "mean") == "logsumexp":
            vector = torch.zeros(words.shape[1])
            if listed:
                vector = torch.stack([words[place] for place in listed]).logsumexp(0)
        return vector, attended

    def pair(self, head, tail, words, attention):
        (h, of_head), (t, of_tail) = (
            self.entity(one, other, words, attention) for one, other in ((head, tail), (tail, head))
        )
        if self.settings.get("atlop", True):
            joint = of_head * of_tail
            joint = joint / (joint.sum() + 1e-5)
            context = sum(weight * word for weight, word in zip(joint, words))
            h = torch.tanh(self.feed_forward("span_rep_layer.head_extractor", torch.cat([h, context])))
            t = torch.tanh(self.feed_forward("span_rep_layer.tail_extractor", torch.cat([t, context])))
        return self.feed_forward("span_rep_layer.projection", torch.cat([h, t]))

    @torch.no_grad()
    def logits(self, ids, first_tokens, entities, label_ids):
        """All columns, of the tokens of a document and of its labels, with mentions as `(first, last)` word."""
        words, attention = self.read_words(ids, first_tokens)
        labels, words = self.fuse(self.read_labels(label_ids), words)
        pairs = torch.stack([self.pair(head, tail, words, attention) for head in entities for tail in entities])
        if self.settings.get("cross_attention"):
            pairs = self.attend("cross_attention_layer_rel", "cross_attn", 8, pairs, labels)
        prompts = self.feed_forward("prompt_rep_layer", labels)
        columns = [pairs @ prompts.T]
        if self.settings.get("loss") in ("atloss", "afloss"):
            both = torch.cat([prompts.mean(0).expand(len(pairs), -1), pairs], dim=-1)
            columns.insert(0, self.feed_forward("threshold_layer", both))
        return torch.cat(columns, dim=-1)

    def of_features(self, features, document):
        """The same, of what `features_of` makes of a document."""
        spans = features["word_token_spans"].tolist()
        first_tokens = [start if end > start else None for start, end in spans]
        types = [list(one) for one in features["types"]]
        return self.logits(features["input_ids"].tolist(), first_tokens, document.entities, types)
