"""Writes docs/fashion-products.md: every encoder of this release on 9,583 real products.

python -m bench.fashion_products [folder for the store and the report]
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.timing import data_root
from likelens import Catalogue, compare
from likelens.report.markdown import markdown_leaderboard, svg_bars

DOCS = Path(__file__).parent.parent / "docs"
TAGS = ["gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "usage"]
MODELS = (
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_0.5_160_quant",
    "mobilenet_v1_0.75_192_quant",
    "mobilenet_v2_1.0_224_quant",
    "tf2_mobilenet_v2_1.0_224_ptq",
)
OTHERS = ("opencv:sift", "opencv:orb", "opencv:colour", "opencv:hog", "control:random")

HEAD = """# Which encoder sees fashion best?

Nine encoders and two controls on 9,583 products (ids 10000 to 21539 of Fashion Product
Images by Param Aggarwal, Kaggle, MIT), measured by how well they agree with the tags
gender, masterCategory, subCategory, articleType, baseColour, season and usage. The models
are MobileNets trained on ImageNet (Google, Apache-2.0), their `features` output. There
are no purchases in this data, so the score is the unweighted one. How to get the data:
[data.md](data.md). What the numbers mean: [metrics.md](metrics.md).

Made by `python -m bench.fashion_products`; the same, with a report full of pictures:

    cd $LIKELENS_DATA
    likelens evaluate data/fashion-products/styles.csv --tags {tags} \\
      -e {models} \\
         {others} \\
         "control:shuffled?of=onnx:weights/mobilenet_v2_1.0_224_quant.onnx"

![CorrEmbed of each encoder with its 95 % interval](images/fashion-products.svg)

"""


def main() -> None:
    out = Path(sys.argv[1] if sys.argv[1:] else "report")
    root = data_root()
    specs = [f"onnx:{root / 'weights' / name}.onnx" for name in MODELS]
    shuffled = f"control:shuffled?of={specs[3]}"
    catalogue = Catalogue.open(root / "data" / "fashion-products" / "styles.csv", tags=TAGS)
    board = compare(catalogue, [*specs, *OTHERS, shuffled], out / "store")
    print(board.write(out))
    head = HEAD.format(
        tags=",".join(TAGS),
        models=" \\\n         ".join(f"onnx:weights/{name}.onnx" for name in MODELS),
        others=" ".join(OTHERS),
    )
    page = DOCS / "fashion-products.md"
    page.write_text(head + markdown_leaderboard(board), encoding="utf-8")
    (DOCS / "images").mkdir(exist_ok=True)
    (DOCS / "images" / "fashion-products.svg").write_text(
        svg_bars(board).replace(f"{root}/", ""), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
