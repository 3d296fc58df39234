"""``likelens doctor``: what is installed, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from ..values.extras import install_hint
from ..values.files import installed
from . import show

NEEDED = {
    "numpy": "arrays",
    "scipy": "sparse tags",
    "pyarrow": "tables",
    "pylance": "the store",
    "pillow": "pictures",
    "simplejpeg": "quick reading of JPEG",
    "opencv-python-headless": "encoders opencv:",
    "onnxruntime": "encoders onnx:",
    "faiss-cpu": "search for many queries",
    "scikit-learn": "maps in the report",
    "threadpoolctl": "maps in the report",
    "jinja2": "the report",
    "typer": "the command line",
    "rich": "the command line",
}


OPTIONAL = {
    "torch": ("encoders torchvision:, timm:, open_clip:, hf:, checkpoint:", "torch"),
    "torchvision": ("encoders torchvision:", "torch"),
    "timm": ("encoders timm:", "torch"),
    "open-clip-torch": ("encoders open_clip:", "torch"),
    "transformers": ("encoders hf:", "torch"),
    "safetensors": ("files of encoders checkpoint:", "torch"),
    "onnx": ("--runtime onnx for torch networks", "torch"),
    "openvino": ("--runtime openvino for torch networks", "openvino"),
    "mahotas": ("encoders mahotas:", "classical"),
    "fsspec": ("images at s3:// and other addresses", "remote"),
    "sqlalchemy": ("judgements: likelens annotate", "annotate"),
    "psycopg": ("votes in PostgreSQL", "postgres"),
    "krippendorff": ("agreement of experts", "annotate"),
    "stepmix": ("Dawid and Skene's rule for votes", "annotate"),
}
"""What a library is for, and which extra brings it."""


def examine() -> dict[str, Any]:
    """Versions of all libraries, and the machine."""
    data = Path(os.environ.get("LIKELENS_DATA", "../shared"))
    return {
        "likelens": installed("likelens"),
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "libraries": [_library(name, use, f"pip install {name}") for name, use in NEEDED.items()],
        "optional": [
            _library(name, use, install_hint(extra)) for name, (use, extra) in OPTIONAL.items()
        ],
        "real_data": str(data) if (data / "data").is_dir() else None,
        "notes": [note for note in (_torchvision(),) if note],
    }


def _torchvision() -> str:
    """What to know where torchvision is there and cannot be imported beside torch, or nothing."""
    there = installed("torch"), installed("torchvision")
    if not all(there):
        return ""
    try:
        import_module("torchvision")
    except Exception as error:  # noqa: BLE001 - it raises whatever its operators raise
        torch, vision = there
        if "operator torchvision::" in str(error):
            return (
                f"torchvision {vision} was compiled for another torch than {torch}; its operators "
                "are for detection only, so encoders work without them"
            )
        reason = " ".join(str(error).split())[:200]
        return (
            f"torchvision {vision} cannot be imported beside torch {torch} ({reason}): install "
            "both from one index, pip install torch torchvision"
        )
    return ""


def _library(name: str, use: str, hint: str) -> dict[str, Any]:
    return {"name": name, "for": use, "version": installed(name), "hint": hint}


def print_findings(findings: dict[str, Any]) -> None:
    """The same as lines for the terminal."""
    python, machine = findings["python"], findings["machine"]
    show.say(f"likelens {findings['likelens']}, Python {python}, {machine}")
    for name, absent in (("libraries", "MISSING"), ("optional", "-")):
        for part in findings[name]:
            state = part["version"] or absent
            hint = "" if part["version"] else f": {part['hint']}"
            show.say(f"  {part['name']:<24} {state:<14} {part['for']}{hint}")
    for note in findings["notes"]:
        show.say(f"  note: {note}")
    data = findings["real_data"]
    show.say(
        f"  real data for tests and benchmarks: {data}"
        if data
        else "  no real data for tests and benchmarks: set LIKELENS_DATA (see docs/data.md)"
    )
