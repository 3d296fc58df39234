"""Numbers and names as a reader wants them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from ..values.errors import BadSpec
from ..values.spec import Spec

NOTHING = "–"
SPACE = "\u00a0"
MINUS = "\u2212"

FILE_SOURCES = ("checkpoint", "onnx", "vectors")
"""Sources whose identifier is the path of a file."""

_FOLDERS = re.compile(r"\b(checkpoint|onnx|vectors):[^?&@]*[/\\]")


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many digits after the point; a dash if there is none.

    Example:
        >>> number(0.47361), number(-0.02, 1), number(float("nan"))
        ('0.474', '0.0', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:,.{digits}f}"
    if text.startswith("-"):
        text = text[1:] if float(text.replace(",", "")) == 0 else MINUS + text[1:]
    return text


def percent(share: float | None, digits: int = 1) -> str:
    """A share of one in percent.

    Example:
        >>> percent(0.0317).replace(SPACE, " ")
        '3.2 %'
    """
    if share is None or not math.isfinite(share):
        return NOTHING
    return f"{number(100 * share, digits)}{SPACE}%"


def rounded(value: float | None, unit: str = "") -> str:
    """A large number with two or three figures and k, M or G.

    Example:
        >>> [rounded(n, "B").replace(SPACE, " ") for n in (14_020_000, 950, 3_500_000_000)]
        ['14.0 MB', '950 B', '3.5 GB']
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    prefix = ""
    for larger in ("k", "M", "G"):
        if abs(value) < 999.5:
            break
        value, prefix = value / 1000, larger
    digits = 0 if not prefix or abs(value) >= 99.95 else 1
    ending = f"{prefix}{unit}"
    return f"{number(value, digits)}{SPACE}{ending}" if ending else number(value, digits)


def speed(images_per_second: float) -> str:
    """Images per second, with a digit after the point only below ten."""
    return number(images_per_second, 0 if images_per_second >= 9.95 else 1)


def place(rank: int, sharing: int, score: float) -> str:
    """A place on a board, with ``=`` where several encoders share it; a dash without a score.

    Example:
        >>> place(1, 2, 0.4), place(3, 1, 0.2), place(4, 1, math.nan)
        ('1=', '3', '–')
    """
    return f"{rank}{'=' if sharing > 1 else ''}" if math.isfinite(score) else NOTHING


def chance(p_value: float) -> str:
    """A p-value, no finer than a thousandth."""
    return f"<{SPACE}0.001" if p_value < 0.001 else number(p_value)


def date(moment: str) -> str:
    """The day of an ISO date and time in words.

    Example:
        >>> date("2025-03-09T10:12:00+00:00")
        '9 March 2025'
    """
    from datetime import datetime

    try:
        day = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return f"{day.day} {day:%B %Y}"


def listed(things: Sequence[str]) -> str:
    """Names in a sentence.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a"])
        ('a, b and c', 'a')
    """
    if len(things) < 2:
        return "".join(things)
    return f"{', '.join(things[:-1])} and {things[-1]}"


def labels(names: Sequence[str]) -> dict[str, str]:
    """Encoders' names as short as leaves them apart: without folders, options or layer.

    Example:
        >>> labels(["onnx:/models/v2.onnx@features", "opencv:sift?words=512"]).values()
        dict_values(['v2', 'opencv:sift'])
        >>> labels(["opencv:sift?words=64", "opencv:sift?words=512"]).values()
        dict_values(['opencv:sift?words=64', 'opencv:sift?words=512'])
    """
    forms = {name: _forms(name) for name in names}
    counts = Counter(form for each in forms.values() for form in set(each))
    return {
        name: next((form for form in each if counts[form] == 1), name)
        for name, each in forms.items()
    }


def _forms(name: str) -> tuple[str, ...]:
    """A spec in ever more words."""
    try:
        spec = Spec.parse(name)
    except BadSpec:
        return (name,)
    if spec.source == "fused":
        forms = [(weight, _forms(str(part))) for weight, part in spec.parts]
        return tuple(
            " + ".join(
                f"{weight:g}*{form[place]}" if weight != 1 else form[place]
                for weight, form in forms
            )
            for place in range(min(len(form) for _, form in forms))
        )
    if spec.source in FILE_SOURCES:
        file = re.split(r"[/\\]", spec.identifier)[-1]
        stem = file.rsplit(".", 1)[0] or file
        heads = [stem, f"{spec.source}:{file}"]
    else:
        heads = [f"{spec.source}:{spec.identifier}"]
    layer = f"@{spec.layer}" if spec.layer else ""
    _, question, options = str(spec).partition("?")
    options = question + _FOLDERS.sub(r"\1:", options)
    return (
        *heads[:1],
        *(head + layer for head in heads),
        *(head + layer + options for head in heads),
        name,
    )


def shortened(name: str, limit: int) -> str:
    """A name that is too long without its middle.

    Example:
        >>> shortened("mobilenet_v2_1.0_224_quant", 15)
        'mobilen…4_quant'
    """
    if len(name) <= limit:
        return name
    end = (limit - 1) // 2
    return f"{name[: limit - 1 - end]}…{name[-end:]}"


def breakable(name: str) -> Markup:
    """A long name, escaped, with places where a line may break."""
    parts = re.split(r"(?<=[:/@?&=._,-])", name)
    return Markup("<wbr>").join(parts)
