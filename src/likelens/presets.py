"""Line-ups of encoders by name: those of published comparisons, and one for a small machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .values.errors import BadSpec, nearest
from .values.spec import Spec

CORREMBED = "arXiv 2308.16126"
VSD = "arXiv 2308.14753"
TORCHVISION = "torchvision (PyTorch model zoo)"
TIMM = "timm, on the Hugging Face hub"
HUB = "the Hugging Face hub"


@dataclass(frozen=True)
class Row:
    """One encoder of a line-up.

    Attributes:
        spec: the encoder, without a layer.
        name: what the publication calls it.
        weights: where its weights come from.
        published: figures that its publication prints: ``weighted``, ``unweighted``,
            ``penultimate``, ``batch_seconds``; of an index ``kdtree:precision``, ``kdtree:recall``,
            ``kdtree:ndcg``, ``kdtree:seconds``. A column of ``reproduce`` has those of all
            rows, if there are any.
        note: what is not said by the rest.
        file: a file that the user must have first, or nothing.
    """

    spec: str
    name: str
    weights: str
    published: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    file: str = ""

    def __hash__(self) -> int:
        return hash(self.spec)

    @property
    def ready(self) -> bool:
        """Whether its file is here, if it needs one."""
        return not self.file or Path(self.file).expanduser().is_file()


def _vision(name: str, title: str, note: str = "") -> Row:
    return Row(f"torchvision:{name}", title, TORCHVISION, note=note)


def _file(file: str, arch: str, title: str, weights: str, note: str = "") -> Row:
    return Row(f"checkpoint:{file}?arch={arch}", title, weights, note=note, file=file)


_OURS = "the publication's variant could not be read; this one is our choice"

_BEST = "torchvision:vit_h_14.IMAGENET1K_SWAG_E2E_V1"

_SHUFFLED = Row(
    f"control:shuffled?of={_BEST}",
    "shuffled",
    "those of ViT-H/14",
    note="the authors shuffle the first network of a run, ViT-H/14 in their CLIP notebook",
)
_RANDOM = Row(
    "control:random?dim=1280",
    "random",
    "none",
    note="as long as a vector of ViT-H/14; normal numbers, where the authors draw from 0 to 1",
)

_PRESETS: dict[str, tuple[Row, ...]] = {
    "corrembed": (
        _vision("vit_h_14.IMAGENET1K_SWAG_E2E_V1", "ViT-H/14, SWAG end to end"),
        _vision("regnet_y_32gf.IMAGENET1K_SWAG_E2E_V1", "RegNetY-32GF, SWAG end to end"),
        _vision("efficientnet_v2_l.IMAGENET1K_V1", "EfficientNetV2-L"),
        _vision("convnext_large.IMAGENET1K_V1", "ConvNeXt-Large"),
        _vision("swin_v2_b.IMAGENET1K_V1", "Swin V2-B"),
        _vision("maxvit_t.IMAGENET1K_V1", "MaxViT-T"),
        _vision("resnext101_64x4d.IMAGENET1K_V1", "ResNeXt-101 64x4d"),
        _vision("wide_resnet101_2.IMAGENET1K_V2", "Wide ResNet-101-2"),
        _vision(
            "resnet152.IMAGENET1K_V2",
            "ResNet-152",
            "inferred: of the notebook's ResNets this one stands among the first line-up",
        ),
        _vision("densenet201.IMAGENET1K_V1", "DenseNet-201"),
        _vision("mnasnet1_3.IMAGENET1K_V1", "MNASNet 1.3"),
        _vision("shufflenet_v2_x2_0.IMAGENET1K_V1", "ShuffleNet V2 x2.0"),
        _vision("mobilenet_v3_large.IMAGENET1K_V2", "MobileNet V3 Large"),
        _vision("vgg19_bn.IMAGENET1K_V1", "VGG-19 with batch norm"),
        _vision("googlenet.IMAGENET1K_V1", "GoogLeNet"),
        _vision("squeezenet1_1.IMAGENET1K_V1", "SqueezeNet 1.1"),
        _vision("alexnet.IMAGENET1K_V1", "AlexNet"),
        _SHUFFLED,
        _RANDOM,
        Row(
            "hf:patrickjohncyh/fashion-clip",
            "Fashion-CLIP",
            HUB,
            note="beside Table 2: the authors' notebook Model_Evaluator_CLIP compares it",
        ),
    ),
    "vsd-generators": (
        _file(
            "argus_densenet.pth",
            "torchvision:densenet161",
            "Argus",
            "the file that models/argus.py of vsd-benchmark/vsd names",
            "DenseNet-161",
        ),
        Row("timm:vit_small_patch8_224.dino", "DINO", TIMM, note="ViT-S/8"),
        Row("hf:microsoft/beit-base-patch16-224-pt22k-ft22k", "BEiT", HUB),
        Row(
            "open_clip:ViT-B-32-quickgelu/openai",
            "CLIP",
            "OpenAI, by open_clip",
            note="ViT-B/32",
        ),
    ),
    "vsd-additional": (
        _vision("resnet50.IMAGENET1K_V2", "ResNet-50", "the weights that models/resnet.py names"),
        Row("timm:convnext_base.fb_in22k", "ConvNeXt", TIMM, note=_OURS),
        Row("timm:vit_base_patch16_224.augreg_in21k", "ViT-B/16 21k", TIMM),
        _vision("vit_b_16.IMAGENET1K_SWAG_LINEAR_V1", "SWAG", _OURS),
        _file(
            "moco_v2_800ep_pretrain.pth.tar",
            "torchvision:resnet50",
            "MoCo",
            "facebookresearch/moco on GitHub",
            _OURS,
        ),
        _file(
            "swav_800ep_pretrain.pth.tar",
            "torchvision:resnet50",
            "SwAV",
            "facebookresearch/swav on GitHub",
            _OURS,
        ),
        Row("timm:vit_base_patch16_224.mae", "MAE", TIMM, note=_OURS),
        Row("timm:tf_efficientnet_b7.ns_jft_in1k", "NoisyStudent", TIMM, note=_OURS),
    ),
    "image-search": (
        Row("opencv:sift", "SIFT", "none", note="a vocabulary learnt from the catalogue"),
        Row("mahotas:surf", "SURF", "none", note="a vocabulary learnt from the catalogue"),
        Row("opencv:orb", "ORB", "none", note="a vocabulary learnt from the catalogue"),
        Row("opencv:fast", "FAST", "none", note="a vocabulary learnt from the catalogue"),
        _vision("resnet50.IMAGENET1K_V2", "ResNet", _OURS),
        _vision("vgg16.IMAGENET1K_V1", "VGG", _OURS),
        _vision("mobilenet_v2.IMAGENET1K_V2", "MobileNet", _OURS),
        _vision("efficientnet_b0.IMAGENET1K_V1", "EfficientNet", _OURS),
        _vision("vit_b_16.IMAGENET1K_V1", "ViT", _OURS),
        Row("open_clip:ViT-B-32-quickgelu/openai", "CLIP", "OpenAI, by open_clip", note=_OURS),
        Row("hf:facebook/dinov2-base", "DINOv2", HUB, note=_OURS),
        Row("hf:Salesforce/blip2-itm-vit-g", "BLIP-2", HUB, note=_OURS),
        _file(
            "vit_1.58b.safetensors",
            "timm:vit_base_patch16_224?bits=1.58",
            "ViT-1.58b",
            "none published: those that you trained",
            _OURS,
        ),
        Row("control:random?dim=1280", "random", "none", note="vectors that see nothing"),
    ),
    "small": (
        _vision("squeezenet1_1.IMAGENET1K_V1", "SqueezeNet 1.1"),
        _vision("shufflenet_v2_x1_0.IMAGENET1K_V1", "ShuffleNet V2 x1.0"),
        _vision("mobilenet_v3_small.IMAGENET1K_V1", "MobileNet V3 Small"),
        _vision("mobilenet_v2.IMAGENET1K_V2", "MobileNet V2"),
        _vision("regnet_y_400mf.IMAGENET1K_V2", "RegNetY-400MF"),
        _vision("mnasnet1_0.IMAGENET1K_V1", "MNASNet 1.0"),
        _vision("efficientnet_b0.IMAGENET1K_V1", "EfficientNet-B0"),
        _vision("mobilenet_v3_large.IMAGENET1K_V2", "MobileNet V3 Large"),
        Row("opencv:hog", "HOG", "none"),
        Row("opencv:colour", "colour histogram", "none"),
    ),
}


def names() -> tuple[str, ...]:
    """The names of the line-ups."""
    return tuple(_PRESETS)


def preset(name: str) -> tuple[Row, ...]:
    """The encoders of a line-up, in the order of its publication.

    Args:
        name: ``corrembed``, ``vsd-generators``, ``vsd-additional``, ``image-search``, ``small``.

    Raises:
        BadSpec: there is no such line-up.

    Example:
        >>> [row.name for row in preset("vsd-generators")]
        ['Argus', 'DINO', 'BEiT', 'CLIP']
    """
    if name not in _PRESETS:
        raise BadSpec(
            f"there is no preset {name!r}",
            where="--preset",
            hint=nearest(name, _PRESETS) or f"choose one of: {', '.join(_PRESETS)}",
        )
    return _PRESETS[name]


def find(spec: str) -> Row | None:
    """The row of any line-up with that encoder, whatever its layer; None if there is none."""
    parsed = Spec.parse(spec)
    wanted = str(parsed.with_layer(None))
    rows = (row for rows in _PRESETS.values() for row in rows)
    return next((row for row in rows if str(Spec.parse(row.spec)) == wanted), None)
