"""A catalogue of garments, made by code: for the demo, for tests, for controlled experiments.

Ten kinds of garment are drawn so that every tag can be seen: colour, pattern,
sleeve, neckline, length, fit and material. Nothing is downloaded, and the same
seed gives the same pictures.
"""

from .picture import draw
from .vocabulary import TAGS, Garment, products
from .wild import draw_wild
from .writing import create

__all__ = ["TAGS", "Garment", "create", "draw", "draw_wild", "products"]
