"""Writes docs/reproduce-engine.md: the image search engine's tables on Caltech-101.

python -m bench.engine_docs [folder for the store and the report]

BENCH_PER_CLASS=12 takes the first twelve pictures of each class, to try it.
HF_HUB_OFFLINE=1 does not wait for weights that a machine without a network cannot have.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.reproduce_docs import SPECS
from bench.timing import data_root
from likelens import Catalogue
from likelens.presets import preset
from likelens.report.sections import markdown_sections
from likelens.reproduce import charts, engine, find_parents, sections, write_engine
from likelens.reproduce._corrembed import sample

DOCS = Path(__file__).parent.parent / "docs"
SOURCE = "data/caltech101"
PARENTS = "data/caltech101/parent_classes.csv"
SECOND = "data/fashion-products/styles.csv"
SECOND_ITEMS = 1500

HEAD = """# The tables of an image search engine, measured again

`likelens reproduce engine` measures what Agarwal's comparison of image search engines for
fashion (2024) reports, on any folder of class folders: precision, recall, nDCG and time of
every encoder, through a KD-tree and through LSH, and by parent class. Here: Caltech-101 (Li,
Andreeto, Ranzato and Perona, CaltechDATA 2022, CC BY 4.0), with the keypoints and networks
of the paper by name, as far as they can be had, and seven networks trained on ImageNet:
five MobileNets as ONNX files and one for timm (Google, Apache-2.0), SqueezeNet for torchvision
(BSD). What the metrics mean, and the two readings of the paper's recall:
[retrieval.md](retrieval.md). Line-ups of encoders: [presets.md](presets.md). How to get the
data: [data.md](data.md).

{part}Made by `python -m bench.engine_docs`; the same, with a report that shows queries and their
results, right and wrong marked:

    cd $LIKELENS_DATA
    likelens reproduce engine {source} --preset image-search \\
      --parents {parents} --second fashion.toml \\
      -e {specs}

`fashion.toml` names the second data set, fashion-products ([data.md](data.md); Param Aggarwal,
Kaggle, MIT), whose classes are a column of its table:

    table = "{second}"
    category = "subCategory"

Of that set a sample of {items:,} is taken here (seed 0); the command takes all.
A siamese or triplet network or an autoencoder that you trained is one more row:
`-e triplet=checkpoint:triplet.safetensors?arch=timm:resnet18`. Parent classes can also be chosen
by a model that reads text: `--parents "Animals,Vehicles,Other" --parents-by hf:OWNER/NAME`. Charts,
tables as CSV and JSON, and the report are in the folder that `--out` names. Without `-e` and
`--preset` the encoders are those of `--preset image-search`, and a note says so before weights are
fetched; with `HF_HUB_OFFLINE=1` none are, and what is not here is a line `missing:`.

**A trap.** `Faces` and `Faces_easy` show the same people, once in the whole photo and once cut to
the face: a result from the other folder counts as wrong, though no one would call it so. Other
classes are views of one thing (`cougar_body` and `cougar_face`, `crocodile` and
`crocodile_head`, `flamingo` and `flamingo_head`). The better an encoder sees, the more often it
finds these; *What is taken for what* shows how much they cost. `airplanes` and `Motorbikes`, 18 %
of all pictures, are easy and pull the other way, which the mean of classes undoes.

Drawn are the paper's few queries of each class, all is every picture in turn, and no query
counts as its own result. Times are of single pictures, on two
cores that hardly anything else was using.

"""


def main() -> None:
    out = Path(sys.argv[1] if sys.argv[1:] else "reproduce-engine").resolve()
    os.chdir(data_root())  # so that names and pages hold no path of this machine
    trial = int(os.environ.get("BENCH_PER_CLASS", "0"))
    catalogue = Catalogue.open(SOURCE)
    if trial:
        catalogue = _first(catalogue, trial)
    second = Catalogue.open(SECOND, category="subCategory")
    items = SECOND_ITEMS // 5 if trial else SECOND_ITEMS
    found = engine(
        catalogue,
        [*preset("image-search"), *SPECS],
        out / "store",
        parents=find_parents(PARENTS, None, catalogue),
        second=sample(second, items, 0),
        progress=_say,
    )
    print(write_engine(found, out))
    parts = sections(found)
    head = HEAD.format(
        source=SOURCE,
        parents=PARENTS,
        second=SECOND,
        items=items,
        specs=" \\\n         ".join(f'"{spec}"' if "?" in spec else spec for spec in SPECS),
        part=f"This page is a trial on {trial} pictures of each class. " if trial else "",
    )
    stem = "images/reproduce-engine-"
    page = head + markdown_sections(parts, stem)
    (DOCS / "reproduce-engine.md").write_text(page, encoding="utf-8")
    (DOCS / "images").mkdir(exist_ok=True)
    for chart in charts(parts):
        (DOCS / f"{stem}{chart.name}").write_text(chart.svg, encoding="utf-8")


def _first(catalogue: Catalogue, count: int) -> Catalogue:
    """The first so many pictures of each class."""
    kept: dict[str | None, list[str]] = {}
    for item, label in zip(catalogue.ids, catalogue.labels or (), strict=True):
        kept.setdefault(label, []).append(item)
    return catalogue.take([item for items in kept.values() for item in items[:count]])


def _say(label: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{label} {done:,}/{total:,}   ", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
