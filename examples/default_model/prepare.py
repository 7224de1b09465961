"""Training documents for the default model, from annotated sentences of many sources.

What they lack for extraction is put in. Most of them mark two entities, which are related; a model that has read no
others finds a relation between any two names. So names that the annotation leaves out are marked too, as pairs that
are not related; each relation has its inverse, which holds with head and tail swapped; names that mean the same become
one; and a document is asked only for entity types that its annotators looked for.

    python examples/default_model/prepare.py --data data --encoder sentence-transformers/all-MiniLM-L6-v2 \
        --output runs/data
    python examples/default_model/prepare.py --data data --encoder sentence-transformers/all-MiniLM-L6-v2 \
        --output runs/ablation --hold-out

Texts that were written for this model come to them (`texts/`, see texts.py), in which all relations of a field are
marked, each time in other names.

Writes `train.jsonl.xz`, `wordings.json` and `hard_negatives.json` for `glirel train`, `summary.json`, and development
sets of the texts of some fields (`field.NAME.jsonl.xz`). With `--hold-out`, whole relations and a domain are kept out
of training, too: `people.jsonl.xz` (texts, entities, and 12 relations of persons and organizations),
`software.jsonl.xz` (another domain), `fewrel.jsonl.xz` (16 further relations).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from glirel_transformers.data import Document, Mention, Relation, text_hash, write_documents
from glirel_transformers.data.alignment import find_words
from glirel_transformers.data.readers import read_places
from glirel_transformers.evaluation.baselines import SentenceEmbeddings
from glirel_transformers.ner import find_capitalized_spans
from glirel_transformers.requests_glirel import readable_name
from glirel_transformers.text_glirel import Span

sys.path.insert(0, str(Path(__file__).parent))
import texts as written

RELATIONS = Path(__file__).with_name("relations.json")
BROADER = Path(__file__).with_name("broader.json")
TEXTS = Path(__file__).with_name("texts")
MAX_DISTRACTORS = 3
MAX_WORDS = 120
MAX_MENTIONS = 14
NEAREST = 8
JOINED = {",", ";", "and", "or", "&", "/", "(", "-", "–"}  # between two names that stand for the same end
# Sources that mark the ends of relations alone. Names that they leave out are related to nothing that is asked for.
PAIRS_ALONE = ("fewrel64", "text2kg", "knowledgenet", "dart")
# Encyclopaedic sentences whose entities are marked and whose relations are not: too many hold.
RELATED = ("fewnerd", "multiconer", "wikidef", "wikigold", "gum", "uner")
# How many documents of a source there are at most, by the start of its name.
LIMITS = {
    "materials": 150,
    "tasteset": 500,
    "sgd_system_turns": 1500,
    "carb": 300,
    "causal": 400,
    "wikidef": 4000,
    "fewnerd_a": 2500,
    "fewnerd_b": 1500,
    "multiconer": 1500,
}
LIMIT_OF_ENTITIES = 500  # of other sources that have no relations
FEWREL_DEV = (
    "composer", "developer", "genre", "head of government", "league", "manufacturer", "military branch",
    "mountain range", "movement", "notable work", "participating team", "platform", "record label", "religion",
    "tributary", "winner",
)  # fmt: skip
PEOPLE_DEV = (
    "residence", "place of birth", "educated at", "headquarters location", "date of birth", "founded by",
    "chief executive officer", "country of citizenship", "member of political party", "date of death",
    "parent organization", "inception",
)  # fmt: skip
SOFTWARE_DEV = "somesci"
FIELDS_DEV = (
    *("news_07", "news_13", "business_03", "science_08", "medicine_06", "arts_08", "people_09", "everyday_06"),
    *("general_01", "general_14"),
)
FAR_NAMES = 12  # of other fields, that a written text is asked for as well
FAR = 0.4  # cosine with the nearest name of the field, at most


@dataclass(frozen=True)
class Vocabulary:
    """What is known of relation names.

    Args:
        canonical: the name that stands for each name that means the same.
        inverse: the name that holds with head and tail swapped, of canonical names, in both directions; a symmetric
            relation is its own.
        wordings: other names, by canonical name.
    """

    canonical: dict[str, str]
    inverse: dict[str, str]
    wordings: dict[str, list[str]]

    @classmethod
    def read(cls, file: Path) -> Vocabulary:
        """Reads `relations.json`."""
        canonical: dict[str, str] = {}
        inverse: dict[str, str] = {}
        wordings: dict[str, list[str]] = {}
        for group in json.loads(file.read_text(encoding="utf-8")).values():
            for name, entry in group.items():
                same, also = entry.get("same", []), entry.get("also", [])
                canonical |= dict.fromkeys(same, name)
                wordings[name] = [*same, *also]
                if entry.get("symmetric"):
                    inverse[name] = name
                elif opposite := entry.get("inverse"):
                    first, *others = opposite
                    canonical |= dict.fromkeys(others, first)
                    inverse |= {name: first, first: name}
                    wordings[first] = others
        return cls(canonical, inverse, {name: others for name, others in wordings.items() if others})

    def complete(self, document: Document) -> Document:
        """With canonical names, and with the inverse of each relation."""
        relations: dict[tuple[int, int, str], Relation] = {}
        for one in document.relations:
            name = self.canonical.get(one.relation_type, one.relation_type)
            relations.setdefault((one.head, one.tail, name), replace(one, relation_type=name))
        for (head, tail, name), one in list(relations.items()):
            if (opposite := self.inverse.get(name)) is not None:
                swapped = replace(one, head=tail, tail=head, relation_type=opposite, relation_id=None)
                relations.setdefault((tail, head, opposite), swapped)
        pairs = {(head, tail) for head, tail, _ in relations}
        return replace(
            document,
            relations=list(relations.values()),
            none_pairs=tuple(pair for pair in document.none_pairs if pair not in pairs),
        )


def distractors(document: Document) -> list[Mention]:
    """Names in a text that no mention covers, and that do not share a place in the sentence with one.

    "B" of "was born in A, B" is left out, as what is said of A may be said of it.
    """
    words, text = list(document.words), " ".join(document.words)
    spans = find_words(words, text)
    first = {start: index for index, (start, _) in enumerate(spans)}
    last = {end: index for index, (_, end) in enumerate(spans)}
    taken: list[tuple[int, int]] = [(m.start, m.end) for m in document.mentions]
    found = []
    for one in find_capitalized_spans(text):
        start, end = first.get(one["start"]), last.get(one["end"])
        if start is None or end is None or any(start < m_end and end + 1 > m_start for m_start, m_end in taken):
            continue
        if any(_are_joined(words, (start, end + 1), other) for other in taken):
            continue
        found.append(Mention(start, end + 1))
    return found


def _are_joined(words: list[str], one: Span, other: Span) -> bool:
    (_, left), (right, _) = sorted([one, other])
    between = [word.lower() for word in words[left:right]]
    return len(between) <= 2 and all(word in JOINED for word in between)


def with_distractors(document: Document, generator: random.Random) -> Document:
    """A text with up to `MAX_DISTRACTORS` of its [`distractors`], which are related to nothing."""
    found = distractors(document)
    chosen = generator.sample(found, min(len(found), MAX_DISTRACTORS))
    return replace(document, mentions=[*document.mentions, *chosen])


def reduced(document: Document, generator: random.Random) -> Document:
    """A text with at most `MAX_MENTIONS` mentions, those of relations first."""
    if len(document.mentions) <= MAX_MENTIONS:
        return document
    order = list(document.relations)
    generator.shuffle(order)
    kept: dict[int, None] = {}
    for relation in order:
        ends = {relation.head, relation.tail} - kept.keys()
        if len(kept) + len(ends) <= MAX_MENTIONS:
            kept |= dict.fromkeys(ends)
    others = [index for index in range(len(document.mentions)) if index not in kept]
    kept |= dict.fromkeys(generator.sample(others, min(len(others), MAX_MENTIONS - len(kept))))
    place = {old: new for new, old in enumerate(sorted(kept))}
    return replace(
        document,
        mentions=[document.mentions[old] for old in place],
        relations=[
            replace(one, head=place[one.head], tail=place[one.tail])
            for one in document.relations
            if one.head in place and one.tail in place
        ],
        none_pairs=tuple((place[a], place[b]) for a, b in document.none_pairs if a in place and b in place),
        entities_exhaustive=False,  # what was left out is an entity, too
    )


def _is_identifier(label: str | None) -> bool:
    return label is not None and label[:1] == "Q" and label[1:].isdigit()


def read_all(data: Path, label_sets: dict[str, Any]) -> Iterator[Document]:
    """The documents of the permissive files, with what their sources looked for."""
    refused: list[ValueError] = []
    for name in ("train_permissive", "rel_permissive_more", "ner_permissive"):
        for _, document in read_places(data / f"train/{name}.jsonl.xz", on_error=refused.append):
            source = document.source or ""
            mentions = [replace(m, label=None) if _is_identifier(m.label) else m for m in document.mentions]
            labels = {m.label for m in mentions} - {None}
            known = label_sets.get(source)
            exhaustive = document.exhaustive
            if name == "ner_permissive":
                # What is not marked there is mostly no entity of the types of its own source; see its quality notes.
                exhaustive = not source.startswith(RELATED)
            yield replace(
                document,
                mentions=mentions,
                exhaustive=exhaustive,
                entities_exhaustive=bool(labels) and known is not None,
                annotated_entity_types=tuple(dict.fromkeys([*known["types"], *sorted(labels)])) if known else None,
            )

    if refused:
        print(f"Left out: {len(refused):,} records that are damaged, such as {refused[0]}", file=sys.stderr)


def prepare(data: Path, vocabulary: Vocabulary, seed: int) -> Iterator[Document]:
    """All documents, completed; in a random order, and no more of a source than `LIMITS`."""
    label_sets = json.loads((data / "meta/ner_label_sets.json").read_text(encoding="utf-8"))
    of_source: dict[str, list[Document]] = defaultdict(list)
    for document in tqdm(read_all(data, label_sets), desc="reading", unit="document"):
        if 2 <= len(document.words) <= MAX_WORDS and document.mentions:
            of_source[document.source or ""].append(document)
    for source, documents in of_source.items():
        documents.sort(key=text_hash)
        otherwise = None if any(document.relations for document in documents) else LIMIT_OF_ENTITIES
        limit = next((number for prefix, number in LIMITS.items() if source.startswith(prefix)), otherwise)
        for document in documents[:limit]:
            generator = random.Random(f"{seed}/{text_hash(document)}")
            completed = vocabulary.complete(document)
            if source.startswith(PAIRS_ALONE):
                completed = with_distractors(completed, generator)
            yield reduced(completed, generator)


def divide(documents: Iterable[Document], vocabulary: Vocabulary) -> dict[str, list[Document]]:
    """The documents of training and of the development sets, by name.

    A document with a relation of a development set is in no training set, and neither is one of its domain.
    """

    def with_inverses(names: Iterable[str]) -> set[str]:
        return {one for name in names for one in (name, vocabulary.inverse.get(name, name))}

    people, fewrel = with_inverses(PEOPLE_DEV), with_inverses(FEWREL_DEV)
    parts: dict[str, list[Document]] = {"train": [], "people": [], "software": [], "fewrel": []}
    for document in documents:
        types = {relation.relation_type for relation in document.relations}
        source = document.source or ""
        if source.startswith(SOFTWARE_DEV):
            parts["software"].append(document)
        elif source.startswith("knowledgenet"):
            parts["people"].append(_of_types(document, PEOPLE_DEV))
        elif source.startswith("fewrel") and types & set(FEWREL_DEV):
            parts["fewrel"].append(_of_types(document, FEWREL_DEV))
        elif not types & (people | fewrel):
            parts["train"].append(document)
    return parts


def read_fields(folder: Path) -> dict[str, written.Field]:
    """The fields of written texts, by the names of their files."""
    return {path.stem: written.read_field(path) for path in sorted(folder.glob("*.txt"))}


def write_versions(fields: dict[str, written.Field], encoder: str, number: int, seed: int) -> Iterator[Document]:
    """The texts of fields, `number` times each in other names; they are asked for some names of other fields, too.

    These are far from all names of the field, as another name for what holds there would be a wrong negative.
    """
    names = sorted({name for given in fields.values() for name in given.names})
    place = {name: index for index, name in enumerate(names)}
    embedded = SentenceEmbeddings(encoder).embed(list(map(readable_name, names)))
    broader = written.read_broader(BROADER)
    for given in tqdm(fields.values(), desc="wording", unit="field"):
        own = embedded[[place[name] for name in given.names]]
        nearest = (embedded @ own.T).max(dim=1).values
        far = [name for name, cosine in zip(names, nearest.tolist(), strict=True) if cosine <= FAR]

        def draw(generator: random.Random, far: list[str] = far) -> list[str]:
            return generator.sample(far, min(FAR_NAMES, len(far)))

        yield from written.versions(given, broader, number, draw, seed)


def as_written(given: written.Field) -> Iterator[Document]:
    """The texts of a field in its own names, for which they are annotated."""
    relation_types = tuple(relation.name for relation in given.relations)
    for document in given.documents:
        yield replace(document, annotated_entity_types=given.entity_types, annotated_relation_types=relation_types)


def nearest_names(names: list[str], encoder: str, vocabulary: Vocabulary, number: int) -> dict[str, list[str]]:
    """Of each relation type its inverse, and those with the nearest names: what it is easily taken for."""
    embedded = SentenceEmbeddings(encoder).embed([readable_name(name) for name in names])
    ranked = (embedded @ embedded.T).argsort(dim=-1, descending=True).tolist()
    found = {}
    for name, places in zip(names, ranked, strict=True):
        inverse = vocabulary.inverse.get(name)
        near = dict.fromkeys([inverse] if inverse in names else [])
        near |= dict.fromkeys(names[place] for place in places[: number + 1])
        found[name] = [one for one in near if one != name]
    return found


def _of_types(document: Document, types: Iterable[str]) -> Document:
    allowed = set(types)
    return replace(document, relations=[one for one in document.relations if one.relation_type in allowed])


def summarize(parts: dict[str, list[Document]]) -> dict[str, Any]:
    """Documents, relations and types of each part, and of each source of training."""

    def count(documents: list[Document]) -> dict[str, int]:
        types = Counter(one.relation_type for document in documents for one in document.relations)
        labels = Counter(m.label for document in documents if document.knows_entities for m in document.mentions)
        return {
            "documents": len(documents),
            "relations": types.total(),
            "relation types": len(types),
            "mentions": sum(len(document.mentions) for document in documents),
            "entity types": len(labels.keys() - {None}),
        }

    of_source: dict[str, list[Document]] = defaultdict(list)
    for document in parts["train"]:
        of_source[document.source or ""].append(document)
    return {
        "parts": {name: count(documents) for name, documents in parts.items() if documents},
        "sources": {name: count(documents) for name, documents in sorted(of_source.items())},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds train/ and meta/")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--encoder", required=True, help="of sentences, which says what names are near each other")
    parser.add_argument("--hold-out", action="store_true", help="keep relations and a domain out, as development sets")
    parser.add_argument("--limit", type=int, help="training documents, for a quick look")
    parser.add_argument("--versions", type=int, default=6, help="of each written text [%(default)s]")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    vocabulary = Vocabulary.read(RELATIONS)
    documents = prepare(args.data, vocabulary, args.seed)
    parts = divide(documents, vocabulary) if args.hold_out else {"train": list(documents)}
    generator = random.Random(args.seed)
    trained = {one.relation_type for document in parts["train"] for one in document.relations}
    fields = read_fields(TEXTS)
    parts |= {f"field.{name}": list(as_written(fields.pop(name))) for name in FIELDS_DEV if name in fields}
    parts["train"] += write_versions(fields, args.encoder, args.versions, args.seed)
    for part in parts.values():
        generator.shuffle(part)
    parts["train"] = parts["train"][: args.limit]
    args.output.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        write_documents(args.output / f"{name}.jsonl.xz", part)
    wordings = {name: others for name, others in vocabulary.wordings.items() if name in trained}
    (args.output / "wordings.json").write_text(json.dumps(wordings, indent=1) + "\n", encoding="utf-8")
    near = nearest_names(sorted(trained), args.encoder, vocabulary, NEAREST)
    (args.output / "hard_negatives.json").write_text(json.dumps(near, indent=1) + "\n", encoding="utf-8")
    summary = summarize(parts)
    (args.output / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    console = Console()
    for title, rows in summary.items():
        columns = next(iter(rows.values())).keys()
        table = Table(title, *columns)
        for name, counts in rows.items():
            table.add_row(name, *(f"{counts[column]:,}" for column in columns))
        console.print(table)


if __name__ == "__main__":
    main()
