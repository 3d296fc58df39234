"""From a picture or a text to the items of a store that look like it.

``query`` turns what is asked into one vector, ``choose`` picks the results among the items
ranked by it, ``hubs`` and ``threshold`` say what a whole gallery does to its searches.
"""

from ..metrics import Threshold
from .choose import Order
from .hits import Hit, Hits
from .hubs import Hubs, find_hubs
from .query import crop
from .searcher import Searcher, search
from .sense import by_index
from .stored import index_info, save_index

__all__ = [
    "Hit",
    "Hits",
    "Hubs",
    "Order",
    "Searcher",
    "Threshold",
    "by_index",
    "crop",
    "find_hubs",
    "index_info",
    "save_index",
    "search",
]
