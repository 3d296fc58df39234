"""The one string that names an encoder: ``source:identifier[@layer][?option=value&...]``.

Or several of them, weighted and joined by ``" + "``: ``onnx:m.onnx + 0.5*opencv:colour``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from .errors import BadSpec

T = TypeVar("T", int, float, str)

FUSED = "fused"
"""The source of several encoders in one; their names, joined, are its identifier."""


@dataclass(frozen=True)
class Spec:
    """A parsed encoder name; ``str(spec)`` reads back as the same spec.

    Attributes:
        source: who makes the encoder: ``onnx``, ``opencv``, ``control``.
        identifier: what the source calls it: a file, a model name.
        layer: which output, or None for the source's default.
        options: text values by name.

    Example:
        >>> Spec.parse("onnx:model.onnx@features?size=224")
        Spec(source='onnx', identifier='model.onnx', layer='features', options={'size': '224'})
        >>> str(Spec.parse("opencv:sift?words=512&seed=1"))
        'opencv:sift?seed=1&words=512'
        >>> Spec.parse("onnx:m.onnx@features + 0.50*opencv:colour?bins=4").parts[1]
        (0.5, Spec(source='opencv', identifier='colour', layer=None, options={'bins': '4'}))
    """

    source: str
    identifier: str
    layer: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read a spec.

        The value of the last option may itself be a spec with options
        (``control:shuffled?of=opencv:sift?words=64``).

        Text with ``" + "`` in it names several encoders, each with a weight before it
        if that is not 1: ``onnx:m.onnx + 0.5*opencv:colour``. Layers and options are
        those of the part that they stand behind.

        Raises:
            BadSpec: the text is not of that form, or a weight is not above 0.
        """
        texts = [part.strip() for part in re.split(r"(?<=\s)\+(?=\s)", f" {text} ")]
        if len(texts) > 1 or _weight_of(text)[0] is not None:
            return cls.fuse([cls._parse_part(part, text) for part in texts])
        return cls._parse_one(text)

    @classmethod
    def fuse(cls, parts: Sequence[tuple[float, Spec]]) -> Spec:
        """The spec of several encoders in one, from their weights and specs.

        Raises:
            BadSpec: fewer than two parts, a weight that is not above 0, or a part that
                is made of parts itself.

        Example:
            >>> str(Spec.fuse([(1.0, Spec("opencv", "hog")), (0.25, Spec("opencv", "colour"))]))
            'opencv:hog + 0.25*opencv:colour'
        """
        text = " + ".join(_weighted(weight, part) for weight, part in parts)
        if len(parts) < 2:
            raise BadSpec(
                "one encoder alone is not fused, and has no weight",
                where=text,
                hint="leave the weight out, or add a part: onnx:m.onnx + 0.5*opencv:colour",
            )
        if any(part.source == FUSED for _, part in parts):
            raise BadSpec(
                "a fused encoder cannot be a part of another",
                where=text,
                hint="write all its parts side by side, their weights multiplied",
            )
        if not all(0 < weight < math.inf for weight, _ in parts):
            raise _bad_weight(text)
        return cls(FUSED, text)

    @property
    def parts(self) -> tuple[tuple[float, Spec], ...]:
        """Weight and spec of each part of a fused spec; of any other, itself with weight 1."""
        if self.source != FUSED:
            return ((1.0, self),)
        texts = self.identifier.split(" + ")
        return tuple(self._parse_part(text, self.identifier) for text in texts)

    @classmethod
    def _parse_part(cls, text: str, whole: str) -> tuple[float, Spec]:
        """Weight and spec of one part."""
        number, rest = _weight_of(text)
        if not rest or rest.startswith("("):
            raise BadSpec(
                "brackets join no encoders" if rest else "a part of a fused encoder is empty",
                where=whole,
                hint="write source:identifier on both sides of +: onnx:m.onnx + 0.5*opencv:colour",
            )
        try:
            weight = 1.0 if number is None else float(number)
        except ValueError:
            raise _bad_weight(whole) from None
        return weight, cls._parse_one(rest)

    @classmethod
    def _parse_one(cls, text: str) -> Spec:
        """Read a spec of a single encoder."""
        form = "write source:identifier[@layer][?option=value], such as onnx:model.onnx@features"
        head, question, tail = text.strip().partition("?")
        source, colon, rest = head.partition(":")
        identifier, at, layer = rest.rpartition("@") if "@" in rest else (rest, "", "")
        if "/" in layer or "\\" in layer:  # an @ in a folder's name
            identifier, at, layer = rest, "", ""
        if not colon or not source or not identifier or (at and not layer):
            raise BadSpec(
                f"{text!r} is not the name of an encoder",
                where=text,
                hint=_suggestion(text.strip()) if not colon else form,
            )
        if source == FUSED:
            raise BadSpec(
                "a fused encoder is written as its parts",
                where=text,
                hint="leave out fused: and write onnx:m.onnx + 0.5*opencv:colour",
            )
        options: dict[str, str] = {}
        while question and tail:
            name, equals, value = tail.partition("=")
            if not equals or not name or name in options:
                problem = "is given twice" if name in options else "has no value"
                raise BadSpec(f"option {name!r} {problem}", where=text, hint=form)
            inner, found, after = value.partition("&")
            if ":" in inner and "?" in inner:  # a spec within: takes all the rest
                inner, found, after = value, "", ""
            options[name] = inner
            tail, question = after, found
        return cls(source, identifier, layer or None, dict(sorted(options.items())))

    def __str__(self) -> str:
        if self.source == FUSED:
            return self.identifier
        layer = f"@{self.layer}" if self.layer else ""
        plain = {k: v for k, v in self.options.items() if "?" not in v}
        nested = {k: v for k, v in self.options.items() if "?" in v}
        options = "&".join(f"{k}={v}" for k, v in {**plain, **nested}.items())
        return f"{self.source}:{self.identifier}{layer}{'?' if options else ''}{options}"

    def __hash__(self) -> int:
        return hash(str(self))

    def with_layer(self, layer: str | None) -> Spec:
        """The same encoder, another layer.

        Raises:
            BadSpec: a fused encoder has none: layers are those of its parts.
        """
        if self.source == FUSED and layer is not None:
            raise BadSpec(
                f"a fused encoder has no layer {layer!r}",
                where=str(self),
                hint="layers belong to the parts: onnx:m.onnx@features + 0.5*opencv:colour",
            )
        return Spec(self.source, self.identifier, layer, self.options)

    def option(
        self,
        name: str,
        kind: type[T],
        default: T,
        *,
        low: float | None = None,
        high: float | None = None,
        choices: tuple[str, ...] = (),
    ) -> T:
        """An option's value as a number or text, or the default.

        Raises:
            BadSpec: not of that kind, outside low..high, or none of the choices.
        """
        if name not in self.options:
            return default
        text = self.options[name]
        bounds = _bounds(kind, low, high, choices)
        wrong = BadSpec(
            f"option {name}={text} is not {bounds}", where=str(self), hint=f"give {bounds}"
        )
        try:
            value = kind(text)
        except ValueError:
            raise wrong from None
        outside = not isinstance(value, str) and not (
            (low is None or value >= low) and (high is None or value <= high)
        )
        if outside or (choices and text not in choices):
            raise wrong
        return value

    def check_options(self, known: tuple[str, ...]) -> None:
        """Refuse options that the source does not have.

        Raises:
            BadSpec: an unknown option; the message lists the known ones.
        """
        unknown = [name for name in self.options if name not in known]
        if unknown:
            fused = self.source == FUSED
            name = "a fused encoder" if fused else f"{self.source}:{self.identifier}"
            raise BadSpec(
                f"{name} has no option {unknown[0]!r}",
                where=str(self),
                hint="options belong to the parts, each behind its own"
                if fused
                else f"its options are: {', '.join(known) or 'none'}",
            )


_VISION = (
    r"((wide_)?res(net|next)|vgg|densenet|alexnet|googlenet|maxvit_t|mobilenet_v|mnasnet|"
    r"efficientnet_(b\d|v2_)|squeezenet|shufflenet|regnet_[xy]_|convnext_|swin_(v2_)?[tsb]$|"
    r"vit_[bhl]_\d|inception_v3).*"
)

_USUAL = (
    (r".*\.(onnx|ort)(@[^/\\]+)?(\?.*)?", "onnx:{0}"),
    (r".*\.(pth?|pth\.tar|ckpt|bin|safetensors)", "checkpoint:{0}?arch=timm:NAME"),
    (r".*\.(npz|npy|parquet)", "vectors:{0}"),
    (r"(?i)colou?r", "opencv:colour"),
    (r"(?i)(sift|orb|fast|hog)", "opencv:{1}"),
    (r"(?i)surf", "mahotas:surf"),
    (r"(?i)(random|shuffled)", "control:{1}"),
    (
        r"(opencv|mahotas|control|onnx|torchvision|timm|open_clip|hf|checkpoint|vectors)",
        "{0}:NAME (source:identifier[@layer][?option=value]); `likelens encoders` lists examples",
    ),
    (r"(?i)dino-?_?v?3([-_][^/]*)?", "timm:vit_small_patch16_dinov3.lvd1689m"),
    (
        r"(?i)dino-?_?v?2?([-_][^/]*)?",
        "timm:vit_small_patch14_dinov2.lvd142m or hf:facebook/dinov2-small",
    ),
    (r"(ViT|RN|EVA|coca)\w*-[\w.-]+", "open_clip:{0}/WEIGHTS, such as ViT-B-32/laion2b_s34b_b79k"),
    (r"(?i)[^/]*siglip[^/]*", "hf:google/siglip-base-patch16-224"),
    (
        r"(?i)[^/]*clip[^/]*",
        "open_clip:ViT-B-32/laion2b_s34b_b79k or hf:openai/clip-vit-base-patch32",
    ),
    (r"[a-z0-9_]+\.[A-Z][A-Z0-9_]+", "torchvision:{0}"),
    (r"[a-z0-9_]+\.[a-z]\w*[0-9_]\w*", "timm:{0}"),
    (_VISION, "torchvision:{0} or timm:{0}"),
    (r"[\w.-]+/[\w.-]+", "hf:{0}"),
    (r"[a-z][a-z0-9_]*[0-9_][a-z0-9_.]*", "timm:{0}"),
)
"""What is often written for an encoder, and the spec that was meant."""


def _suggestion(text: str) -> str:
    """A spec for what is none, as a hint."""
    for pattern, meant in _USUAL:
        found = re.fullmatch(pattern, text)
        if found:
            small = [group.lower() for group in found.groups() if group]
            return f"write {meant.format(text, *small)}"
    return (
        "write source:identifier[@layer][?option=value], such as onnx:model.onnx@features; "
        "`likelens encoders` lists the sources"
    )


def _weight_of(text: str) -> tuple[str | None, str]:
    """The text of a part's weight, or None, and the rest; a name may have a * of its own."""
    number, star, rest = text.partition("*")
    if not star or ":" in number:
        return None, text.strip()
    return number.strip(), rest.strip()


def _weighted(weight: float, part: Spec) -> str:
    """A part as it is written: its weight, if that is not 1, and its spec."""
    return str(part) if weight == 1 else f"{repr(float(weight)).removesuffix('.0')}*{part}"


def _bad_weight(where: str) -> BadSpec:
    return BadSpec(
        "the weight of a part must be a number above 0",
        where=where,
        hint="write it before the part: onnx:m.onnx + 0.5*opencv:colour",
    )


def _bounds(kind: type, low: float | None, high: float | None, choices: tuple[str, ...]) -> str:
    if choices:
        return f"one of {', '.join(choices)}"
    name = {int: "a whole number", float: "a number"}.get(kind, "a word")
    if low is None and high is None:
        return name
    if high is None:
        return f"{name} of at least {low}"
    return f"{name} from {low if low is not None else '-inf'} to {high}"


def fingerprint(**parts: object) -> str:
    """A short hash of everything that decides an encoder's vectors.

    Args:
        parts: values that JSON can write; equal parts give equal fingerprints.

    Returns:
        16 hexadecimal digits.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
