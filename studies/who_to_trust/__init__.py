"""Who to trust: a simulation in which the true order of the encoders is known.

``draw`` makes a shop, ``score`` judges it and scores the encoders, ``budget`` spends hours on it,
``seed`` measures one shop and ``study`` many. ``tables`` and ``charts`` show the figures and
``write`` puts them into files. The conclusions are in docs/who-to-trust.md, written by hand.
"""

from .score import Settings
from .study import Trust, trust
from .write import write_trust

__all__ = ["Settings", "Trust", "trust", "write_trust"]
