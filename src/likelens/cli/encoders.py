"""``likelens encoders``: list them, show one, check one, find the weights of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, show
from .command import App, EncodersFile

app = App(help="List the sources of encoders; show, check or fuse encoders.")

SpecArgument = Annotated[
    str, typer.Argument(metavar="SPEC", help="An encoder's name.", show_default=False)
]

LAYERS_SHOWN = 40


@app.callback(invoke_without_command=True)
def encoders(context: typer.Context, as_json: options.AsJson = False) -> None:
    """List the sources of encoders; show, check or fuse encoders."""
    if context.invoked_subcommand is None:
        _list(as_json)


@app.command("list")
def list_sources(encoders_file: EncodersFile = None, as_json: options.AsJson = False) -> None:
    """List the sources of encoders, with examples, and the short names of encoders.toml."""
    from ..encoders.named import choose_file

    choose_file(encoders_file)
    _list(as_json)


@app.command("show")
def show_encoder(
    spec: SpecArgument,
    all_layers: Annotated[bool, typer.Option("--all", help="Print every layer.")] = False,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Show what is known of an encoder, and its layers."""
    from .._inspect import describe

    found = describe(spec, device)
    if as_json:
        show.print_json(found)
    else:
        _print_description(found, all_layers)


@app.command("check")
def check_encoder(
    spec: SpecArgument,
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of pictures to check with (default: drawn garments)."),
    ] = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
    runtime: options.Runtime = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Check an encoder on this machine: a line for each law, passed or failed."""
    from .._inspect import check
    from ..encoders.running import Running

    (spec,) = options.with_dtype([spec], dtype)
    lines = check(spec, images, Running(device=device, runtime=runtime))
    if as_json:
        show.print_json([vars(line) for line in lines])
    else:
        for line in lines:
            state = {True: "pass", False: "FAIL", None: "  - "}[line.passed]
            show.say(f"{state}  {line.law}: {line.found}")
    if any(line.passed is False for line in lines):
        raise typer.Exit(1)


@app.command("fuse")
@options.reads_catalogue
def fuse_encoders(
    catalogue: Any,
    encoder: options.Encoders = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder where the vectors are kept.", show_default=False)
    ] = None,
    held_out: Annotated[
        float, typer.Option(help="Share of the items that only judge the weights.")
    ] = 0.5,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
    runtime: options.Runtime = "auto",
    compile: options.Compile = False,  # noqa: A002 - the option's name
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Find how much each encoder should count, on a part of the items; judge it on the rest."""
    from .._fuse import fuse
    from ..encoders.running import Running

    with show.progress_bar() as progress:
        found = fuse(
            catalogue,
            options.with_dtype(encoder or [], dtype),
            options.measuring_store(store, None),
            held_out=held_out,
            seed=seed,
            running=Running(device=device, runtime=runtime, compile=compile),
            progress=progress,
        )
    if as_json:
        show.print_json(found.to_dict())
    else:
        show.print_fusion(found)


@app.command("pack")
def pack_encoder(
    spec: SpecArgument,
    out: Annotated[Path, typer.Argument(help="A .safetensors file to write.")],
    as_json: options.AsJson = False,
) -> None:
    """Write a network's weights to a file, ternary ones packed; checkpoint: reads it again."""
    from .._inspect import pack

    found = pack(spec, out)
    if as_json:
        show.print_json(found)
        return
    bits = found["bits_per_ternary_weight"]
    more = f", {bits:.2f} bits a ternary weight" if bits else ""
    show.say(f"{out}: {found['bytes']:,} bytes{more}")


def _list(as_json: bool) -> None:
    from ..encoders.opening import describe_sources

    described = describe_sources()
    if as_json:
        show.print_json(described)
        return
    width = max(map(len, described))
    for name, text in described.items():
        show.say(f"{name:<{width}}  {text}")


def _print_description(found: dict[str, Any], all_layers: bool) -> None:
    for name, value in found["card"].items():
        if value not in (None, "", {}, "None") and name != "details":
            show.say(f"{name.replace('_', ' '):<16} {value}")
    for name, value in found["card"]["details"].items():
        if value not in (None, ""):
            show.say(f"{name.replace('_', ' '):<16} {value}")
    for note in found["notes"]:
        show.say(f"{'note':<16} {note}")
    layers = found["layers"]
    if not layers:
        return
    rows = []
    shown = layers if all_layers or len(layers) <= LAYERS_SHOWN else _upper(layers)
    for layer in shown:
        shape = " x ".join(map(str, layer["shape"])) if layer["shape"] else "-"
        rows.append([layer["name"], layer["kind"], shape, f"{layer['parameters']:,}"])
    show.say("")
    show.table(("layer", "kind", "shape", "parameters"), rows, words=(0, 1, 2))
    if len(shown) < len(layers):
        show.say(f"{len(layers) - len(shown):,} more within these: --all")


def _upper(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Layers that are not deep within others: as many levels as can be shown."""
    for depth in (3, 2, 1):
        upper = [layer for layer in layers if layer["name"].count(".") < depth]
        if len(upper) <= LAYERS_SHOWN:
            return upper
    return [layer for layer in layers if "." not in layer["name"]]
