"""The vote book: what experts say of pairs, in a database.

``schema`` says what the tables are, ``database`` opens them, ``turns`` deals the order in which an
expert sees pairs, ``book`` is what users hold, ``files`` reads what goes in, ``writing`` writes
what comes out.
"""

from ...values.extras import need

need("sqlalchemy", extra="annotate", where="the vote book")
