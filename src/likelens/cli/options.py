"""Options that several commands share, above all those that say how to read a catalogue."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .command import AsJson
from .completion import encoder_names, preset_names

if TYPE_CHECKING:
    from ..store.base import Store
    from ..values.spec import Spec

__all__ = ["AsJson"]

CATALOGUE = "How to read SOURCE"

Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        help="A folder of class folders, a table (CSV, Parquet, JSON lines), a catalogue.toml, "
        "or a published data set (DeepFashion, VSD).",
        show_default=False,
    ),
]
OtherSource = Annotated[
    Path | None,
    typer.Option(
        "--catalogue", metavar="SOURCE", help="The catalogue of the items.", show_default=False
    ),
]
Encoders = Annotated[
    list[str] | None,
    typer.Option(
        "-e",
        "--encoder",
        metavar="SPEC...",
        autocompletion=encoder_names,
        help="Encoders, such as onnx:model.onnx@features or opencv:colour.",
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make all vectors of these encoders anew.")
]
Sync = Annotated[
    bool,
    typer.Option("--sync", help="Also remove the store's items and columns that SOURCE lacks."),
]
Forget = Annotated[bool, typer.Option("--forget", help="The name of --sync before.", hidden=True)]
StoreInOut = Annotated[
    Path | None,
    typer.Option(
        help="Folder where the vectors are kept (default: OUT/store, and the user's cache).",
        show_default=False,
    ),
]
Recipe = Annotated[
    Literal["released"] | None,
    typer.Option(help="Weigh purchases as the CorrEmbed authors' code did.", show_default=False),
]
SelfPairs = Annotated[
    Literal["include", "exclude"],
    typer.Option(help="Whether an item's likeness to itself counts."),
]
Seed = Annotated[int, typer.Option(help="Seed of all that is drawn at random.", min=0)]


RUNNING = "How networks run"


def _running(text: str, *names: str) -> object:
    return typer.Option(*names, help=text, rich_help_panel=RUNNING)


Device = Annotated[str, _running("auto, cpu, cuda, cuda:1 or mps.")]
Dtype = Annotated[
    Literal["float32", "float16", "bfloat16", "int8"] | None,
    _running(
        "Numbers that torch networks compute with; a part of the encoder's name (default: float32)."
    ),
]
Runtime = Annotated[
    Literal["auto", "torch", "onnx", "openvino"], _running("What runs torch networks.")
]
Compile = Annotated[bool, _running("Have torch compile the networks first.", "--compile")]
Presets = Annotated[
    list[str] | None,
    typer.Option(
        "--preset",
        metavar="NAME,...",
        autocompletion=preset_names,
        help="Named sets of encoders, such as small or corrembed.",
        show_default=False,
    ),
]


def with_dtype(specs: Sequence[str], dtype: str | None) -> list[str]:
    """The specs, those of torch networks with that dtype; a note names the others.

    Raises:
        BadSpec: a spec names another one itself, or there is no torch network among them.
    """
    if dtype is None:
        return list(specs)
    from ..encoders.opening import resolved
    from ..encoders.running import NETWORKS
    from ..values.spec import Spec

    def in_dtype(spec: Spec) -> Spec:
        if spec.source == "fused":
            return Spec.fuse([(weight, in_dtype(part)) for weight, part in spec.parts])
        of = spec.options.get("of")
        if of is not None:  # a control made of another encoder
            options = {**spec.options, "of": str(in_dtype(Spec.parse(of)))}
            return Spec(spec.source, spec.identifier, spec.layer, options)
        if spec.source not in NETWORKS:
            return spec
        _check_dtype(spec, dtype)
        if spec.options.get("dtype", "float32") == dtype:
            return spec
        options = dict(sorted({**spec.options, "dtype": dtype}.items()))
        return Spec(spec.source, spec.identifier, spec.layer, options)

    parsed = [resolved(text) for text in specs]
    made = [in_dtype(spec) for spec in parsed]
    if dtype != "float32":
        _tell_others([str(one) for one in made if one.source != "control"], dtype)
    return [str(one) for one in made]


def _tell_others(specs: Sequence[str], dtype: str) -> None:
    """A note of the encoders that a dtype is not for.

    Raises:
        BadSpec: it is for none.
    """
    from ..values.errors import BadSpec, first_few

    others = [spec for spec in specs if f"dtype={dtype}" not in spec]
    if others and len(others) == len(specs):
        raise BadSpec(
            f"{first_few(others)} cannot compute with other numbers than its file or code has",
            where=f"--dtype {dtype}",
            hint="leave --dtype out, quantise the file itself, or name a network of torch",
        )
    if others:
        from . import show

        show.note(f"--dtype {dtype} is for networks of torch, not for {first_few(others)}")


def _check_dtype(spec: Spec, dtype: str) -> None:
    from ..values.errors import BadSpec

    named = spec.options.get("dtype", dtype)
    if named != dtype:
        raise BadSpec(
            f"the encoder's name says dtype={named}, the command --dtype {dtype}",
            where=str(spec),
            hint=f"leave --dtype out, or ?dtype={named}",
        )


def _option(text: str, *names: str, **more: Any) -> object:
    return typer.Option(*names, help=text, rich_help_panel=CATALOGUE, show_default=False, **more)


Images = Annotated[Path | None, _option("Folder of the pictures of a table.")]
Id = Annotated[str | None, _option("Column of the item ids (default: id).")]
Image = Annotated[
    str | None,
    _option("Column of file names, addresses or bytes, if files are not named after ids."),
]
Product = Annotated[str | None, _option("Column of products, if one has several pictures.")]
Category = Annotated[str | None, _option("Column of class labels.")]
TagColumns = Annotated[
    list[str] | None,
    _option("Columns of tags: gender,colour,season.", "--tags", metavar="NAME,..."),
]
Split = Annotated[str | None, _option("Text between the values of a cell, such as '|'.")]
Missing = Annotated[
    list[str] | None,
    _option("Texts that mean no value (default: NA,,null).", "--missing", metavar="TEXT,..."),
]
Drop = Annotated[
    list[str] | None,
    _option("Tag columns to leave out: size,shoe_size.", "--drop", metavar="NAME,..."),
]
PurchaseTable = Annotated[
    Path | None, _option("Table of purchases: columns customer and item.", "--purchases")
]
Customer = Annotated[str | None, _option("Column of customers in the purchases (customer).")]
Item = Annotated[str | None, _option("Column of item ids in the purchases (item).")]
Basket = Annotated[str | None, _option("Column of baskets in the purchases (basket).")]
Part = Annotated[
    list[str] | None,
    _option(
        "Parts of a published data set: query, or gallery,train; or a JSON list.",
        "--part",
        metavar="NAME,...",
    ),
]
BBox = Annotated[bool, _option("Look only at the box of each picture.", "--bbox")]
SkipMissing = Annotated[
    bool, _option("Go on without rows that lack a picture or box.", "--skip-missing")
]
AllowPrivate = Annotated[
    bool,
    _option("Fetch images also from private and loopback addresses.", "--allow-private"),
]


def open_catalogue(
    source: Source,
    images: Images = None,
    id: Id = None,  # noqa: A002 - the option's name
    image: Image = None,
    product: Product = None,
    category: Category = None,
    tags: TagColumns = None,
    split: Split = None,
    missing: Missing = None,
    drop: Drop = None,
    purchases: PurchaseTable = None,
    customer: Customer = None,
    item: Item = None,
    basket: Basket = None,
    part: Part = None,
    bbox: BBox = False,
    skip_missing: SkipMissing = False,
    allow_private: AllowPrivate = False,
) -> Any:
    """The catalogue that the options of a command name."""
    from ..values.catalogue import Catalogue
    from . import show

    with show.progress_bar() as progress:
        progress("reading the catalogue", 0, 1)
        catalogue = Catalogue.open(
            source,
            images=images,
            id=id,
            image=image,
            product=product,
            category=category,
            tags=columns(tags, "--tags"),
            split=split,
            missing=[text.strip() for texts in missing for text in texts.split(",")]
            if missing
            else None,
            drop=columns(drop, "--drop"),
            purchases=purchases,
            customer=customer,
            item=item,
            basket=basket,
            part=columns(part, "--part"),
            bbox=bbox,
            skip_missing=skip_missing,
            allow_private=allow_private,
        )
        progress("reading the catalogue", 1, 1)
    show.debug(f"{source}: {len(catalogue):,} items")
    return catalogue


def reads_catalogue(
    command: Callable[..., None], *, fixed: Mapping[str, Any] = MappingProxyType({})
) -> Callable[..., None]:
    """Gives a command whose first parameter is a catalogue SOURCE and all its options.

    Args:
        command: the command.
        fixed: values of options that it does not offer.
    """
    own = inspect.signature(command, eval_str=True)
    shared = [
        each
        for each in inspect.signature(open_catalogue, eval_str=True).parameters.values()
        if each.name not in fixed
    ]
    catalogue, *others = own.parameters.values()

    @functools.wraps(command)
    def opened(**given: Any) -> None:
        described = {each.name: given.pop(each.name) for each in shared}
        command(**{catalogue.name: open_catalogue(**described, **fixed)}, **given)

    source, *rest = shared
    keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*others, *rest)]
    signature = inspect.Signature([source, *keyword])
    opened.__signature__ = signature  # type: ignore[attr-defined]
    opened.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
    return opened


reads_incomplete_catalogue = functools.partial(reads_catalogue, fixed={"skip_missing": True})
"""The same for a command that reports rows without an image instead of refusing them."""


def may_read_catalogue(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command with a parameter ``catalogue`` the option --catalogue and all its options.

    The command gets the catalogue, or None where none is named.
    """
    own = inspect.signature(command, eval_str=True)
    shared = inspect.signature(open_catalogue, eval_str=True)
    source, *rest = shared.parameters.values()

    @functools.wraps(command)
    def opened(**given: Any) -> None:
        place = given.pop("catalogue")
        described = {each.name: given.pop(each.name) for each in rest}
        if place is None:
            _refuse_descriptions(each.name for each in rest if described[each.name] != each.default)
            command(catalogue=None, **given)
        else:
            command(catalogue=open_catalogue(place, **described), **given)

    named = source.replace(name="catalogue", annotation=OtherSource, default=None)
    mine = [named if each.name == "catalogue" else each for each in own.parameters.values()]
    keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*mine, *rest)]
    opened.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    opened.__annotations__ = {each.name: each.annotation for each in keyword}
    return opened


def _refuse_descriptions(names: Iterable[str]) -> None:
    from ..values.errors import BadSpec, first_few

    lost = [f"--{name.replace('_', '-')}" for name in names]
    if lost:
        raise BadSpec(
            "there is no catalogue that this would tell how to read",
            where=first_few(lost),
            hint="name it: --catalogue SOURCE",
        )


def open_other(source: Path, catalogue: Any) -> Any:
    """A catalogue beside SOURCE, to which the options on reading belong.

    Where a table's pictures are not beside it, and its TOML file names no folder either, all of
    them may be in the --images of SOURCE.

    Args:
        source: what to open.
        catalogue: that of SOURCE, or None.

    Raises:
        BadTable: as by ``Catalogue.open``; of a table, it says where such things can be told.
    """
    from ..values.catalogue import Catalogue
    from ..values.errors import BadTable
    from ..values.layout import find_layout

    layout = find_layout(source)
    if layout.table is None or layout.images is not None:
        return Catalogue.open(source)
    given = None if catalogue is None else catalogue.layout.given.get("images")
    problems = {}
    for images in dict.fromkeys((None, given)):
        try:
            return Catalogue.open(source, images=images)
        except BadTable as error:
            problems[error.what] = error
    *_, last = problems.values()
    raise BadTable(
        "; with the --images of SOURCE: ".join(problems),
        where=last.where,
        hint=f"{last.hint}; options are about SOURCE, so what they should say of this table goes "
        "into a TOML file (table, images, id, ...), which is given in its place",
    ) from last


def measuring_store(store: Path | None, default: Path | None) -> Store:
    """The store that is named; else another one, which takes vectors from the user's cache."""
    from ..store.base import open_store
    from ..store.cache import with_cache

    return with_cache(default) if store is None else open_store(store)


def columns(texts: Sequence[str] | None, option: str) -> list[str] | None:
    """The names between the commas of all texts that an option was given; None without any.

    Raises:
        BadSpec: the option was given without a name.
    """
    if not texts:
        return None
    found = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    if not found:
        from ..values.errors import BadSpec

        raise BadSpec(
            f"{option} is given without a name", where=option, hint="name some, or leave it out"
        )
    return list(dict.fromkeys(found))


def some_encoders(encoder: list[str] | None, preset: list[str] | None = None) -> list[str]:
    """The encoders named one by one and by presets, each once.

    Raises:
        BadSpec: none is named, or there is no such preset.
    """
    specs = list(encoder or [])
    for name in columns(preset, "--preset") or []:
        from ..presets import preset as rows

        specs += [row.spec for row in rows(name)]
    if not specs:
        from ..values.errors import BadSpec

        raise BadSpec(
            "no encoder is named",
            where="-e",
            hint="give -e SPEC, such as -e opencv:colour; `likelens encoders` lists them",
        )
    return list(dict.fromkeys(specs))
