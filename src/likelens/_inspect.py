"""Looking into an encoder: its layers, and whether it keeps the laws on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .encoders.base import Encoder, FittedEncoder, VectorSource
from .encoders.drift import NEAR, drift_of, row_cosines
from .encoders.opening import open_encoder
from .encoders.running import Running
from .images import open_image
from .values.arrays import Array, Floats
from .values.errors import BadImage, BadSpec, LikelensError
from .values.places import is_image_name
from .values.spec import Spec

SAME = 0.9999
"""Cosine from which two vectors count as equal."""

SAME_SHORT = 0.999
"""The same between two ways of computing with 16 bits."""

FEW = 12
"""Pictures of the other laws."""

PICTURES = 32
"""How many are looked at; of ten neighbours among fewer, too many agree by chance."""

PACKABLE = ("timm", "torchvision", "checkpoint")
"""Sources whose networks ``checkpoint:`` can read back."""

LESS_EXACT = ("bits", "dtype")
"""Options that make numbers shorter."""


@dataclass(frozen=True)
class CheckLine:
    """One law and what was found.

    Attributes:
        law: what should hold.
        passed: whether it does; None where it says nothing of this encoder.
        found: the figure, in words.
    """

    law: str
    passed: bool | None
    found: str


def describe(spec: str, device: str = "auto") -> dict[str, Any]:
    """What is known of an encoder: its card, and its layers with shapes and parameters.

    Raises:
        BadSpec: it is named wrongly.
        NoWeights, MissingExtra: it cannot be had.
    """
    opened = open_encoder(spec, Running(device=device))
    if isinstance(opened, VectorSource):
        card = {"name": str(opened.spec), "details": {}}
        return {"card": card, "layers": [], "notes": list(opened.notes)}
    layers = opened.describe_layers()
    return {"card": asdict(opened.card), "layers": layers, "notes": list(opened.notes)}


def check(spec: str, images: Path | None, running: Running) -> list[CheckLine]:
    """Whether an encoder keeps the laws that scores rest on, on some pictures.

    Args:
        spec: the encoder.
        images: a folder of pictures; None draws some.
        running: where networks run.

    Raises:
        BadSpec: it is named wrongly, or has no pictures to look at.
        BadImage: the folder has no pictures.
    """
    opened = open_encoder(spec, running)
    if not isinstance(opened, Encoder):
        raise BadSpec(
            f"{spec} looks at no pictures, so there is nothing to check",
            where=spec,
            hint="give an encoder that does",
        )
    pictures = _pictures(images)
    if isinstance(opened, FittedEncoder) and not opened.fitted:
        opened.fit(pictures)
    together = opened.encode(pictures)
    laws: dict[str, Callable[[Encoder, Sequence[Array], Floats], tuple[bool | None, str]]] = {
        "vectors are finite, none is zero": _finite,
        "a second run gives the same": _repeats,
        "a picture's vector does not depend on its batch": _alone,
        "equal to the library's own way": _own_way,
        "exchanging red and blue changes the vector": _channels,
        "close to the same encoder in float32": _drift,
        "turning by 90 degrees changes the vector": _turned,
        "a photo on its side, with EXIF, counts as upright": _exif,
    }
    lines = []
    for law, look in laws.items():
        few = len(pictures) if look is _drift else FEW
        try:
            passed, found = look(opened, pictures[:few], together[:few])
        except LikelensError as error:
            passed, found = False, error.what
        lines.append(CheckLine(law, passed, found))
    return lines


def pack(spec: str, out: Path) -> dict[str, Any]:
    """Write a torch network's weights as safetensors, ternary ones packed.

    Returns:
        ``file``, ``bytes`` and ``bits_per_ternary_weight`` (None where none is ternary).

    Raises:
        BadSpec: it is no torch network that ``checkpoint:`` has an architecture for, or the
            file's name does not end in .safetensors.
    """
    opened = open_encoder(spec, Running(device="cpu", runtime="torch"))
    net = getattr(opened, "net", None)
    if net is not None and opened.spec.source not in PACKABLE:
        raise BadSpec(
            f"checkpoint: has no architecture to read a file of {opened.spec.source} into",
            where=spec,
            hint=f"give a spec of {', '.join(f'{name}:' for name in PACKABLE)}",
        )
    if net is None or out.suffix != ".safetensors":
        raise BadSpec(
            f"{spec} has no torch network" if net is None else f"{out} is no .safetensors file",
            where="likelens encoders pack",
            hint="give a spec of timm:, torchvision: or checkpoint:, and a file that ends in "
            ".safetensors",
        )
    from .encoders.checkpoint import write_checkpoint

    bits = write_checkpoint(net.module, out)
    return {"file": str(out), "bytes": out.stat().st_size, "bits_per_ternary_weight": bits}


def _pictures(folder: Path | None) -> list[Array]:
    if folder is None:
        from .garments import draw, products

        return [
            np.ascontiguousarray(draw(garment, size=300 + 2 * place)[: 290 - 3 * place])
            for place, garment in enumerate(products(PICTURES))
        ]
    paths = sorted(path for path in folder.rglob("*") if is_image_name(path.name))
    if not paths:
        raise BadImage("there are no pictures", where=str(folder), hint="give another --images")
    return [open_image(path) for path in paths[:PICTURES]]


def _same(first: Floats, second: Floats, bound: float = SAME) -> tuple[bool, str]:
    lowest = float(row_cosines(first, second).min())
    return lowest >= bound, f"lowest cosine {lowest:.6f}"


def _finite(_encoder: Encoder, _pictures: Sequence[Array], made: Floats) -> tuple[bool, str]:
    zeros = int((~made.any(axis=1)).sum())
    broken = int((~np.isfinite(made)).any(axis=1).sum())
    return not (zeros or broken), f"{broken} not finite, {zeros} zero, of {len(made)}"


def _repeats(encoder: Encoder, pictures: Sequence[Array], made: Floats) -> tuple[bool, str]:
    again = encoder.encode(pictures)
    passed, found = _same(made, again)
    return passed, f"{found}, largest difference {np.abs(made - again).max():.1e}"


def _alone(encoder: Encoder, pictures: Sequence[Array], made: Floats) -> tuple[bool, str]:
    one_by_one = np.concatenate([encoder.encode([picture]) for picture in pictures])
    return _same(made, one_by_one)


def _own_way(encoder: Encoder, pictures: Sequence[Array], made: Floats) -> tuple[bool | None, str]:
    own = encoder.own_way(pictures)
    if own is None:
        return None, "there is no other way to compare with"
    shorter = encoder.spec.options.get("dtype", "float32") != "float32"
    return _same(made, own, SAME_SHORT if shorter else SAME)


def _drift(encoder: Encoder, pictures: Sequence[Array], made: Floats) -> tuple[bool | None, str]:
    """How far shorter numbers lead: vectors, and the ten most alike of each picture."""
    spec = encoder.spec
    full = {name: text for name, text in spec.options.items() if name not in LESS_EXACT}
    if full == spec.options:
        return None, "it computes in float32"
    twin = open_encoder(Spec(spec.source, spec.identifier, spec.layer, full))
    assert isinstance(twin, Encoder)  # noqa: S101 - of the same source
    drift = drift_of(made, twin.encode(pictures))
    return drift.lowest >= NEAR, str(drift)


def _channels(encoder: Encoder, pictures: Sequence[Array], made: Floats) -> tuple[bool | None, str]:
    swapped = encoder.encode([np.ascontiguousarray(picture[:, :, ::-1]) for picture in pictures])
    mean = float(row_cosines(made, swapped).mean())
    if encoder.card.preprocessing.startswith("grey"):
        return None, f"it looks at grey pictures: mean cosine {mean:.4f}"
    return mean < SAME, f"mean cosine {mean:.4f}"


def _turned(encoder: Encoder, pictures: Sequence[Array], made: Floats) -> tuple[bool | None, str]:
    turned = encoder.encode([np.ascontiguousarray(np.rot90(picture)) for picture in pictures])
    mean = float(row_cosines(made, turned).mean())
    if not encoder.card.parameters or mean >= SAME:
        return None, f"mean cosine {mean:.4f}"  # keypoints and colours may be meant not to
    return True, f"mean cosine {mean:.4f}"


def _exif(encoder: Encoder, pictures: Sequence[Array], made: Floats) -> tuple[bool, str]:
    import io

    block, file = Image.Exif(), io.BytesIO()
    block[0x0112] = 6
    stored = Image.fromarray(pictures[0]).transpose(Image.Transpose.ROTATE_90)
    stored.save(file, "PNG", exif=block)
    return _same(made[:1], encoder.encode([file.getvalue()]))
