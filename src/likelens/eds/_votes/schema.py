"""The tables of a vote book.

History is only ever added to: ``votes`` keeps each answer, ``withdrawn`` says which were taken
back. ``counted`` has one row per expert and pair: the vote that counts. All of them change in
one transaction.
"""

from __future__ import annotations

import sqlalchemy as sa

VERSION = 2
"""Of the tables; a book of another one is refused."""

metadata = sa.MetaData()

book = sa.Table(
    "likelens_book",
    metadata,
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
)

experts = sa.Table(
    "likelens_experts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
)

rounds = sa.Table(
    "likelens_rounds",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("repeats", sa.Float, nullable=False),  # share of pairs that come back
    sa.Column("added", sa.Text, nullable=False),
)

pairs = sa.Table(
    "likelens_pairs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("candidate", sa.Text, nullable=False),
    # null: nobody is asked, the pair came with votes
    sa.Column("round", sa.ForeignKey(rounds.c.id), index=True),
    # how it came into a pool: see values.Pooled
    sa.Column("rank", sa.Integer, nullable=False, server_default="0"),
    sa.Column("random", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("possible", sa.Integer, nullable=False, server_default="0"),
    sa.Column("answer", sa.SmallInteger),  # of a known pair
    sa.Column("is_check", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("query", "candidate"),
)

votes = sa.Table(
    "likelens_votes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("expert", sa.ForeignKey(experts.c.id), nullable=False),
    sa.Column("pair", sa.ForeignKey(pairs.c.id), nullable=False),
    sa.Column("vote", sa.SmallInteger, nullable=False),
    sa.Column("again", sa.Boolean, nullable=False),  # the answer to a repeated question
    sa.Column("seconds", sa.Float),
    sa.Column("at", sa.Text, nullable=False),
    sa.CheckConstraint("vote IN (0, 1)"),
    sa.Index("likelens_votes_of_expert", "expert", "id"),
    sa.Index("likelens_votes_of_pair", "expert", "pair"),
)

withdrawn = sa.Table(
    "likelens_withdrawn",
    metadata,
    sa.Column("vote", sa.ForeignKey(votes.c.id), primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
)

counted = sa.Table(
    "likelens_counted",
    metadata,
    sa.Column("expert", sa.ForeignKey(experts.c.id), primary_key=True),
    sa.Column("pair", sa.ForeignKey(pairs.c.id), primary_key=True),
    sa.Column("vote", sa.SmallInteger, nullable=False),
)

dealt = sa.Table(
    "likelens_dealt",
    metadata,
    sa.Column("expert", sa.ForeignKey(experts.c.id), primary_key=True),
    sa.Column("round", sa.ForeignKey(rounds.c.id), primary_key=True),
)

turns = sa.Table(
    "likelens_turns",
    metadata,
    sa.Column("expert", sa.ForeignKey(experts.c.id), primary_key=True),
    sa.Column("pair", sa.ForeignKey(pairs.c.id), primary_key=True),
    sa.Column("again", sa.Boolean, primary_key=True),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("likelens_turns_open", "expert", "done", "place"),
)
