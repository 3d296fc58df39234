"""Writes docs/reproduce-corrembed.md: CorrEmbed's result section with seven real models.

python -m bench.reproduce_docs [folder for the store and the report]
python -m bench.reproduce_docs presets        writes docs/presets.md instead
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.fashion_products import MODELS, TAGS
from bench.timing import data_root
from likelens import Catalogue
from likelens.presets import Row, names, preset
from likelens.report.formats import number
from likelens.reproduce import corrembed, draw, markdown
from likelens.reproduce import write as write_folder
from likelens.reproduce.published import imagenet_accuracy

DOCS = Path(__file__).parent.parent / "docs"
SOURCE = "data/fashion-products/styles.csv"
FILES = {
    "mobilenetv2_100.imagenet": "timm:mobilenetv2_100?pad_type=same",
    "squeezenet1_0.imagenet": "torchvision:squeezenet1_0",
}
SPECS = (
    *(f"onnx:weights/{name}.onnx" for name in MODELS),
    *(f"checkpoint:weights/{file}.safetensors?arch={arch}" for file, arch in FILES.items()),
)

HEAD = """# The result section of CorrEmbed, measured again

`likelens reproduce corrembed` measures what the CorrEmbed paper
([arXiv 2308.16126](https://arxiv.org/abs/2308.16126)) reports, on any catalogue with tags.
Here: fashion-products (ids 10000 to 21539 of Fashion Product Images by Param Aggarwal,
Kaggle, MIT; [data.md](data.md)) and seven networks trained on ImageNet: five MobileNets as
ONNX files and one for timm (Google, Apache-2.0), SqueezeNet for torchvision (BSD). What the
numbers mean: [metrics.md](metrics.md). Line-ups of encoders: [presets.md](presets.md).

Made by `python -m bench.reproduce_docs`; the same, with a report full of pictures:

    cd $LIKELENS_DATA
    likelens reproduce corrembed {source} \\
      --tags {tags} \\
      -e {specs}

Without `-e` and `--preset` the encoders are the paper's, those of `--preset corrembed`; a note says
so before any weights are fetched.

Two of the seven networks are one: mobilenetv2_100.imagenet has the weights of
mobilenet_v2_1.0_224_quant in another library, which shows that the two sources agree but counts
once too often in r. The accuracy of tf2_mobilenet_v2_1.0_224_ptq (69.6 %) is not its
maker's but was measured by others. Times are rough: other programs were running.

"""

PRESETS = """# Presets: line-ups of encoders

`--preset NAME` stands for `-e` with all of a line-up's encoders. A row whose weights cannot be
had does not end a comparison: the leaderboard says why it is missing. `likelens reproduce
corrembed` also passes over rows whose file is not there, and puts the shuffled control on the
first encoder that can be had. That holds for rows of presets: an encoder that you name yourself by
a file that is not there (`-e onnx:nothere.onnx`) ends the command before any work (exit code 2),
and one whose weights or library cannot be had is a line `missing:`. Made from
`src/likelens/presets.py` by `python -m bench.reproduce_docs presets`.

**Accuracy** is ImageNet top-1 as torchvision states it of the weights. The tables of the
three papers could not be read when this was written; **published figures** get columns of their
own in `likelens reproduce` once a row's `published` is given. **Weights** are fetched by the
library named, on first use; a row with a file needs that file in the folder where likelens is
run.

"""

ABOUT = {
    "corrembed": """The networks of Table 2 of CorrEmbed
([arXiv 2308.16126](https://arxiv.org/abs/2308.16126)), both controls, and Fashion-CLIP. The
table itself could not be read, so its rows are inferred. In the authors' notebook
[Similarity_Evaluator_Model_Producer](https://github.com/cair/CorrEmbed_Evaluating_Pre-trained_Model_Efficacy)
the first line-up of networks with both an output and a `_final` layer has 17, ResNet-152
among them; with two controls they are 19, as many as the table has. Weights are those that
the notebook names. It also has ResNet-18, 34, 50 and 101, EfficientNet-B2, ViT-B/16,
ResNeXt-50 and RegNetY-32GF V1, which are not taken for rows of the table.""",
    "vsd-generators": """The encoders that proposed candidates for the VSD benchmark
([arXiv 2308.14753](https://arxiv.org/abs/2308.14753)): `paper_models` in
`models/model_factory.py` of [vsd-benchmark/vsd](https://github.com/vsd-benchmark/vsd), each
with the weights that its file there loads.""",
    "vsd-additional": """Further encoders that the VSD paper compares. Its repository has
ResNet-50; the variants of the others could not be read, and are our choice where a row says
so.""",
    "image-search": """The encoders of Agarwal's comparison (2024) on Caltech-101 that need no
training. Its Table 1 could not be read: the families are those of the project's plan, the
variants ours. Of the 1.58-bit ViT no published weights were found: its row waits for a file that
you trained. Siamese and triplet networks and autoencoders are trained on the catalogue; name
each in `likelens reproduce engine` as `-e triplet=checkpoint:FILE?arch=...`.""",
    "small": """Under 25 MB each, for a processor. torchvision states the sizes.""",
}


def main() -> None:
    if sys.argv[1:] == ["presets"]:
        (DOCS / "presets.md").write_text(presets_page(), encoding="utf-8")
        return
    out = Path(sys.argv[1] if sys.argv[1:] else "reproduce-corrembed").resolve()
    os.chdir(data_root())  # so that names and pages hold no path of this machine
    catalogue = Catalogue.open(SOURCE, tags=TAGS)
    found = corrembed(catalogue, SPECS, out / "store", progress=_say)
    print(write_folder(found, out))
    charts = draw(found)
    head = HEAD.format(
        source=SOURCE,
        tags=",".join(TAGS),
        specs=" \\\n         ".join(f'"{spec}"' if "?" in spec else spec for spec in SPECS),
    )
    stem = "images/reproduce-corrembed-"
    page = head + markdown(found, charts, stem)
    (DOCS / "reproduce-corrembed.md").write_text(page, encoding="utf-8")
    (DOCS / "images").mkdir(exist_ok=True)
    for name, svg in charts.items():
        (DOCS / f"{stem}{name}").write_text(svg, encoding="utf-8")


def presets_page() -> str:
    """All line-ups, a table each."""
    parts = []
    for name in names():
        parts += [f"## {name}", ABOUT[name], _table(preset(name))]
    return PRESETS + "\n\n".join(parts) + "\n"


def _table(rows: tuple[Row, ...]) -> str:
    heads = ("name", "encoder", "accuracy, %", "weights", "note")
    lines = [f"| {' | '.join(heads)} |", "| :--- | :--- | ---: | :--- | :--- |"]
    for row in rows:
        accuracy = imagenet_accuracy(row.spec)
        note = "; ".join(filter(None, (row.note, f"needs the file {row.file}" * bool(row.file))))
        cells = (
            row.name,
            f"`{row.spec}`",
            "" if accuracy is None else number(accuracy, 1),
            row.weights,
            note,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _say(label: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{label} {done:,}/{total:,}   ", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
