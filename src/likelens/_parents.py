"""The parent class of each class: from a table, or by a model that reads the names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .encoders.huggingface import check_place
from .encoders.opening import open_encoder
from .encoders.torch_load import getting_weights, need_library
from .values.arrays import Floats
from .values.errors import BadQuery, BadSpec, BadTable, NoWeights, first_few, nearest
from .values.spec import Spec
from .values.tables import column, read_table, texts

ENTAILMENT = "This example is {}."
"""What a model of entailment is asked of a class; transformers' own words."""

CAPTION = "a photo of {}"
"""How a name is put to a text tower, which learnt from captions."""


@dataclass(frozen=True)
class Parents:
    """The parent of each class, and how it was found.

    Attributes:
        of: parent by class, in the order of the classes.
        by: the table or the spec that said so.
        scores: (classes, parents) float64, higher is more fitting; None from a table. Of a model
            of entailment each row is a share of 1; of a text tower, cosine similarities.
        names: the parents, in the order of the columns of ``scores``.
    """

    of: dict[str, str]
    by: str
    names: tuple[str, ...]
    scores: Floats | None = field(default=None, repr=False)

    def score(self, label: str) -> float:
        """How well a class fits its parent; 1 from a table."""
        if self.scores is None:
            return 1.0
        row = list(self.of).index(label)
        return float(self.scores[row, self.names.index(self.of[label])])


def parents_from_table(path: str | os.PathLike[str], classes: Iterable[str]) -> Parents:
    """The parents that a table names.

    Args:
        path: CSV, TSV, Parquet or JSON lines with the columns class and parent; classes that
            are not asked for do no harm.
        classes: the classes whose parents are wanted.

    Raises:
        BadTable: it cannot be read, lacks a class, or names two parents of one.
    """
    place = Path(path)
    wanted = list(dict.fromkeys(classes))
    table = read_table(place, text_columns=("class", "parent"))
    labels, parents = (
        texts(column(table, name, place, "parent classes")) for name in ("class", "parent")
    )
    known: dict[str, str] = {}
    for row, (label, parent) in enumerate(zip(labels, parents, strict=True), 1):
        if label is None or parent is None:
            raise BadTable(
                f"row {row:,} names no {'class' if label is None else 'parent'}",
                where=str(place),
                hint="fill it in, or leave the row out",
            )
        if known.setdefault(label, parent) != parent:
            raise BadTable(
                f"the class {label!r} has two parents: {known[label]} and {parent}",
                where=str(place),
                hint="leave one of the rows out",
            )
    lost = [label for label in wanted if label not in known]
    if lost:
        raise BadTable(
            f"{len(lost):,} of {len(wanted):,} classes have no parent: {first_few(lost)}",
            where=str(place),
            hint=nearest(lost[0], known) or "add a row for each of them",
        )
    of = {label: known[label] for label in wanted}
    return Parents(of, str(place), tuple(dict.fromkeys(of.values())))


def parents_by_text(classes: Iterable[str], parents: Sequence[str], spec: str | Spec) -> Parents:
    """The parent that fits the name of each class best, by a model that reads text.

    A model of entailment (transformers' zero-shot classification, Yin et al. 2019,
    arXiv 1909.00161) judges "This example is PARENT." for the class's name; the share of a
    parent is the softmax of its entailment over the parents. Of a text tower, the vectors of
    "a photo of NAME" are compared by cosine similarity. In names, ``_`` and ``-`` read as
    blanks. Equal scores go to the parent that was named first.

    Args:
        classes: the names of the classes.
        parents: two or more names to choose from.
        spec: ``hf:FOLDER-or-OWNER/NAME``, a model of entailment or one of two towers, or
            ``open_clip:ARCHITECTURE/WEIGHTS``.

    Raises:
        BadQuery: fewer than two parents, a name twice, or one without letters.
        BadSpec: the model reads no text, or knows no entailment.
        NoWeights: the weights cannot be had, or the scores are not finite.
    """
    wanted, names = list(dict.fromkeys(classes)), tuple(name.strip() for name in parents)
    _check_names(names)
    model = Spec.parse(spec) if isinstance(spec, str) else spec
    if model.source not in ("hf", "open_clip"):
        raise BadSpec(
            f"{model.source}: has no model that reads text",
            where=str(model),
            hint="name a zero-shot model, hf:OWNER/NAME, or a text tower, open_clip:ARCH/WEIGHTS",
        )
    if not wanted:
        return Parents({}, str(model), names, np.zeros((0, len(names))))
    entails = model.source == "hf" and not _has_towers(model)
    scores = (_entailment if entails else _cosines)(model, wanted, names)
    if not np.isfinite(scores).all():
        raise NoWeights(
            "the model's scores are not finite",
            where=str(model),
            hint="its weights are damaged: get them anew, or use another model",
        )
    best = scores.argmax(1)
    of = {label: names[place] for label, place in zip(wanted, best, strict=True)}
    return Parents(of, str(model), names, scores)


def _check_names(names: Sequence[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if len(names) < 2:
        what = "there is nothing to choose from: fewer than two parent classes"
    elif twice:
        what = f"a parent class is named twice: {first_few(twice)}"
    elif not all(_words(name) for name in names):
        what = "a parent class has no name"
    else:
        return
    raise BadQuery(
        what, where=", ".join(names) or "--parents", hint='give --parents "Animals,Vehicles,Other"'
    )


def _words(name: str) -> str:
    """A folder's name as words: ``Faces_easy`` reads ``Faces easy``."""
    return " ".join(re.sub(r"[_-]", " ", name).split())


def _has_towers(spec: Spec) -> bool:
    """Whether an hf: model has a tower for texts beside one for pictures, by its config."""
    config = _config(spec)
    return hasattr(config, "text_config") and hasattr(config, "vision_config")


def _config(spec: Spec) -> Any:
    transformers = need_library("transformers", spec)
    check_place(Path(spec.identifier).expanduser(), spec)
    with getting_weights(spec, "HF_HOME"):
        return transformers.AutoConfig.from_pretrained(_place(spec), **_fixed(spec))


def _place(spec: Spec) -> str:
    """The model's folder, or its name on the hub."""
    folder = Path(spec.identifier).expanduser()
    return str(folder) if folder.is_dir() else spec.identifier


def _fixed(spec: Spec) -> dict[str, Any]:
    """No code from a repository is run."""
    revision = {"revision": spec.options["revision"]} if "revision" in spec.options else {}
    return {"trust_remote_code": False, **revision}


def _cosines(spec: Spec, classes: Sequence[str], parents: Sequence[str]) -> Floats:
    """(classes, parents): cosine similarities of their names by a text tower."""
    encoder: Any = open_encoder(spec)
    vectors = encoder.encode_text([CAPTION.format(_words(name)) for name in (*classes, *parents)])
    exact = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = np.divide(exact, lengths, out=np.zeros_like(exact), where=lengths != 0)
    scores: Floats = unit[: len(classes)] @ unit[len(classes) :].T
    return scores


def _entailment(spec: Spec, classes: Sequence[str], parents: Sequence[str]) -> Floats:
    """(classes, parents): shares of entailment by a model of transformers."""
    spec.check_options(("revision",))
    place = int(_entailing(_config(spec), spec))
    torch, tokenizer, model = _open(spec)
    claims = [ENTAILMENT.format(_words(name)) for name in parents]
    rows = []
    with torch.inference_mode():
        for label in classes:
            words = tokenizer(
                [_words(label)] * len(claims),
                claims,
                return_tensors="pt",
                padding=True,
                truncation="only_first",
            )
            rows.append(model(**words).logits[:, place].double().softmax(0).numpy())
    return np.array(rows)


def _entailing(config: Any, spec: Spec) -> int:
    """Which of a model's outputs is entailment.

    Raises:
        BadSpec: none is called so.
    """
    labels = {str(name).lower(): place for name, place in (config.label2id or {}).items()}
    found = [place for name, place in labels.items() if name.startswith("entail")]
    if not found:
        raise BadSpec(
            f"this is no zero-shot text model: it knows {first_few(labels) or 'nothing'}, "
            "not entailment",
            where=str(spec),
            hint="name a model of natural language inference, such as hf:facebook/bart-large-mnli",
        )
    return int(found[0])


def _open(spec: Spec) -> tuple[Any, Any, Any]:
    """Torch, and the tokenizer and network of a model of entailment.

    Raises:
        NoWeights: they cannot be had, or do not fill the network.
    """
    transformers = need_library("transformers", spec)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    place, fixed = _place(spec), _fixed(spec)
    with getting_weights(spec, "HF_HOME"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, **fixed)
        model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            place, output_loading_info=True, **fixed
        )
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise NoWeights(
            f"the files have no values for {len(missing)} parts: {first_few(missing)}",
            where=str(spec),
            hint="use a complete checkpoint of a zero-shot model",
        )
    return need_library("torch", spec), tokenizer, model.eval()
