"""Who to trust: a simulation in which the true order of the encoders is known.

``draw`` makes a shop, ``score`` judges and scores it, ``budget`` spends hours on it, ``seed``
measures all of that in one shop, ``study`` in many; ``tables``, ``charts`` and ``words`` are
what ``text``, ``money`` and ``short`` say of it, and ``write`` puts it down.
"""

from .score import Settings
from .short import in_short
from .study import Trust, trust
from .write import trust_folder, write_trust

__all__ = ["Settings", "Trust", "in_short", "trust", "trust_folder", "write_trust"]
