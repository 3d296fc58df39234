"""What a garment can be: its tags, their colours, and how products are made up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from likelens.values.errors import BadTable

RGB = tuple[int, int, int]

NONE = "NA"

COLOURS: dict[str, RGB] = {
    "black": (44, 44, 49),
    "white": (250, 248, 244),
    "grey": (152, 155, 160),
    "navy": (38, 54, 104),
    "blue": (92, 150, 214),
    "red": (204, 44, 50),
    "pink": (243, 160, 184),
    "green": (54, 128, 88),
    "yellow": (238, 186, 52),
    "beige": (214, 184, 146),
    "brown": (120, 76, 50),
    "purple": (142, 106, 184),
}

TAGS: dict[str, tuple[str, ...]] = {
    "kind": (
        "dress",
        "shirt",
        "jumper",
        "jacket",
        "trousers",
        "skirt",
        "shoe",
        "bag",
        "hat",
        "scarf",
    ),
    "colour": tuple(COLOURS),
    "pattern": ("plain", "striped", "checked", "dotted", "floral", "zigzag"),
    "sleeve": ("sleeveless", "short", "long"),
    "neckline": ("round", "v-neck", "collar", "high"),
    "length": ("short", "medium", "long"),
    "fit": ("slim", "regular", "loose"),
    "material": ("cotton", "denim", "knit", "leather", "silk"),
}
"""The values of every category, in the order of the columns."""

_TOPS = ("sleeve", "neckline", "length", "fit")
SHAPED_BY: dict[str, tuple[str, ...]] = {
    "dress": _TOPS,
    "shirt": _TOPS,
    "jumper": _TOPS,
    "jacket": _TOPS,
    "trousers": ("length", "fit"),
    "skirt": ("length", "fit"),
    "shoe": ("length",),
    "bag": ("length",),
    "hat": (),
    "scarf": ("length",),
}
"""Which categories of shape make sense for a kind; the others are ``NA``."""

# How often each value occurs, in the order of TAGS.
_COLOUR_SHARES = (0.13, 0.09, 0.08, 0.13, 0.11, 0.08, 0.07, 0.08, 0.06, 0.08, 0.05, 0.04)
_PATTERN_SHARES = (0.46, 0.14, 0.11, 0.11, 0.11, 0.07)
_MATERIAL_SHARES = {
    "dress": (0.36, 0.12, 0.12, 0.05, 0.35),
    "shirt": (0.52, 0.16, 0.07, 0.03, 0.22),
    "jumper": (0.18, 0.02, 0.75, 0.0, 0.05),
    "jacket": (0.28, 0.24, 0.12, 0.28, 0.08),
    "trousers": (0.36, 0.36, 0.08, 0.10, 0.10),
    "skirt": (0.32, 0.22, 0.12, 0.14, 0.20),
    "shoe": (0.26, 0.10, 0.08, 0.48, 0.08),
    "bag": (0.24, 0.12, 0.08, 0.48, 0.08),
    "hat": (0.34, 0.16, 0.32, 0.12, 0.06),
    "scarf": (0.20, 0.0, 0.45, 0.0, 0.35),
}
_SLEEVE_SHARES = {
    "dress": (0.40, 0.30, 0.30),
    "shirt": (0.14, 0.43, 0.43),
    "jumper": (0.15, 0.15, 0.70),
    "jacket": (0.14, 0.06, 0.80),
}
_NECKLINE_SHARES = {
    "dress": (0.38, 0.30, 0.18, 0.14),
    "shirt": (0.30, 0.18, 0.44, 0.08),
    "jumper": (0.42, 0.24, 0.10, 0.24),
    "jacket": (0.16, 0.16, 0.46, 0.22),
}
_LENGTH_SHARES = (0.34, 0.40, 0.26)
_FIT_SHARES = (0.32, 0.40, 0.28)

_PRICES = {
    "dress": 60,
    "shirt": 35,
    "jumper": 48,
    "jacket": 95,
    "trousers": 55,
    "skirt": 40,
    "shoe": 80,
    "bag": 70,
    "hat": 22,
    "scarf": 20,
}
_MARK_UP = {"cotton": 1.0, "denim": 1.1, "knit": 1.2, "leather": 1.9, "silk": 1.6}


@dataclass(frozen=True)
class Garment:
    """One product of the built-in catalogue.

    A changed copy (``dataclasses.replace``) with one other tag is the same
    product in every other respect, which is what a controlled experiment needs.

    Attributes:
        product: its id, such as ``p000012``.
        tags: the values by category, all eight of them; ``("NA",)`` where a
            category makes no sense. A patterned garment has two colours, the
            ground first.
        seed: decides what no tag says: the scale of the pattern, the run of the
            folds, how many buttons.
    """

    product: str
    tags: dict[str, tuple[str, ...]]
    seed: int

    def tag(self, category: str) -> str:
        """The first value in that category."""
        return self.tags[category][0]

    @property
    def colours(self) -> tuple[RGB, RGB]:
        """The ground colour and the colour of the pattern, as RGB."""
        names = self.tags["colour"]
        return COLOURS[names[0]], COLOURS[names[-1]]

    @property
    def price(self) -> float:
        """What it costs, in no particular currency; goes with kind and material."""
        spread = float(np.random.default_rng([self.seed, 7]).lognormal(0.0, 0.25))
        return round(_PRICES[self.tag("kind")] * _MARK_UP[self.tag("material")] * spread) - 0.05

    @property
    def season(self) -> str:
        """``summer``, ``winter`` or ``all-year``."""
        warm = self.tag("material") in ("knit", "leather") or self.tag("kind") == "scarf"
        if self.tag("sleeve") == "long":
            return "winter" if warm else "all-year"
        if self.tag("sleeve") == "NA":
            return "winter" if warm else "all-year"
        return "all-year" if warm else "summer"


def products(count: int, seed: int = 0) -> list[Garment]:
    """The first products of a catalogue.

    Product i of a seed is the same however many are made. Every ten products
    hold each kind once.

    Args:
        count: how many, >= 1.
        seed: >= 0; another seed, another shop.

    Raises:
        BadTable: ``count`` or ``seed`` is too small.

    Example:
        >>> first = products(3)[0]
        >>> first.product, first == products(300)[0]
        ('p000000', True)
    """
    at_least(count, 1, "count")
    at_least(seed, 0, "seed")
    return [_product(index, seed) for index in range(count)]


def at_least(value: int, low: int, name: str) -> None:
    """Refuse a number below its least.

    Raises:
        BadTable: no whole number, or below ``low``.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
        raise BadTable(
            f"{name} is {value!r}",
            where=f"likelens.garments, {name}",
            hint=f"give a whole number of at least {low}",
        )


def check_tags(garment: Garment) -> None:
    """Refuse a garment that cannot be drawn.

    Raises:
        BadTable: a category is missing, a value is unknown, or a pattern has no
            colour of its own.
    """
    for category, known in TAGS.items():
        values = garment.tags.get(category, ())
        needed = category not in _TOPS or category in SHAPED_BY[garment.tags["kind"][0]]
        good = values and all(v in known or (v == NONE and not needed) for v in values)
        if not good:
            raise BadTable(
                f"{category} of the garment is {values!r}",
                where=f"likelens.garments, product {garment.product}",
                hint=f"give one of: {', '.join(known)}",
            )
    if garment.tag("pattern") != "plain" and len(set(garment.tags["colour"])) != 2:
        raise BadTable(
            f"a {garment.tag('pattern')} garment of the colours {garment.tags['colour']}",
            where=f"likelens.garments, product {garment.product}",
            hint="give two colours, of the ground and of the pattern",
        )


def _product(index: int, seed: int) -> Garment:
    block = np.random.default_rng([seed, 1, index // len(TAGS["kind"])])
    kind = TAGS["kind"][block.permutation(len(TAGS["kind"]))[index % len(TAGS["kind"])]]
    rng = np.random.default_rng([seed, 2, index])
    tags = {"kind": (kind,), "colour": (), "pattern": ("",)} | dict.fromkeys(_TOPS, (NONE,))
    tags["material"] = (_pick(rng, "material", _MATERIAL_SHARES[kind]),)
    tags["pattern"] = (_pattern(rng, tags["material"][0]),)
    tags["colour"] = _colours(rng, patterned=tags["pattern"][0] != "plain")
    shares = {
        "sleeve": _SLEEVE_SHARES.get(kind, ()),
        "neckline": _NECKLINE_SHARES.get(kind, ()),
        "length": _LENGTH_SHARES,
        "fit": _FIT_SHARES,
    }
    for category in SHAPED_BY[kind]:
        tags[category] = (_pick(rng, category, shares[category]),)
    return Garment(f"p{index:06d}", tags, int(rng.integers(2**32)))


def _pick(rng: np.random.Generator, category: str, shares: tuple[float, ...]) -> str:
    weights = np.array(shares)
    return str(rng.choice(TAGS[category], p=weights / weights.sum()))


def _pattern(rng: np.random.Generator, material: str) -> str:
    chosen = _pick(rng, "pattern", _PATTERN_SHARES)
    keeps = rng.random() < {"leather": 0.2, "denim": 0.35}.get(material, 1.0)
    return chosen if keeps else "plain"


def _colours(rng: np.random.Generator, *, patterned: bool) -> tuple[str, ...]:
    """One colour, or two that can be told apart side by side."""
    first = _pick(rng, "colour", _COLOUR_SHARES)
    rest = [name for name in COLOURS if _contrast(first, name) > 90]
    second = str(rng.choice(rest))
    return (first, second) if patterned else (first,)


def _contrast(first: str, second: str) -> float:
    """Distance of two colours, lightness counted most (0 to about 500)."""
    a, b = np.array(COLOURS[first], float), np.array(COLOURS[second], float)
    lightness = abs(float((a - b) @ (0.3, 0.59, 0.11)))
    return 0.35 * float(np.linalg.norm(a - b)) + lightness
