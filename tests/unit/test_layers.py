"""Data flows one way: values, stages, entry points. Read from the imports themselves."""

import ast
from pathlib import Path

import likelens

ROOT = Path(likelens.__file__).parent

ALLOWED = {
    "values": {"values"},
    "presets": {"values"},
    "images": {"values", "image_jpeg2000", "image_limits", "image_pixels"},
    "image_jpeg2000": {"image_limits"},
    "image_pixels": {"values"},
    "image_limits": {"values"},
    "encoders": {"values", "images", "encoders"},
    "store": {"values", "store"},
    "index": {"values", "index"},
    "metrics": {"values", "metrics"},
    "garments": {"values", "garments"},
    "eds": {"values", "eds"},
    "_embed": {"values", "images", "encoders", "store", "_embed"},
    "_indexes": {"values", "store", "index"},
    "_search": {
        "values", "images", "encoders", "store", "index", "metrics", "_embed", "_indexes", "_search",
    },
    "_tune": {"values", "encoders", "store", "index", "_search", "_tune"},
    "_protocol": {"values"},
    "_ranking": {"values", "index"},
    "_judged": {"values", "metrics", "_ranking", "_judged"},
    "_retrieval": {"values", "metrics", "_ranking"},
    "_inspect": {"values", "images", "encoders", "garments"},
    "_parents": {"values", "encoders"},
    "collect": {"values", "images", "collect"},
    "_leaderboard": {"values", "metrics", "report", "_against"},
    "_against": {"values", "metrics"},
    "_run_notes": {"values"},
    "_scoring": {"values", "metrics", "index", "_leaderboard"},
    "_relevance": {
        "values", "metrics", "encoders", "store", "report", "_embed", "_leaderboard", "_lineup",
        "_protocol", "_ranking", "_retrieval", "_run_notes", "_against", "_relevance",
    },
    "_compare": {
        "values", "metrics", "encoders", "store", "index", "_embed", "_leaderboard", "_lineup",
        "_run_notes", "_relevance", "_scoring",
    },
    "_lineup": {"values", "encoders", "store", "_embed"},
    "_discover": {
        "values", "metrics", "encoders", "store", "eds", "report", "_embed", "_judged", "_lineup",
        "_leaderboard", "_protocol", "_discover", "_against", "_run_notes",
    },
    "_pooling": {
        "values", "encoders", "store", "eds", "_embed", "_discover", "_lineup", "_protocol", "_ranking",
    },
    "_check": {
        "values", "images", "encoders", "store", "index", "report", "_embed", "_lineup", "_check",
    },
    "_degrade": {"values", "_degrade"},
    "_stress": {"values", "images", "encoders", "store", "metrics", "_embed", "_degrade", "_stress"},
    "_fuse": {"values", "encoders", "store", "metrics", "_embed", "_fuse"},
    "report": {"values", "_check", "images", "metrics", "report", "_leaderboard", "_search", "_stress", "_degrade", "_tune", "_discover", "_against", "_relevance"},
    "reproduce": {
        "values", "presets", "images", "encoders", "store", "index", "report", "reproduce",
        "_embed", "_compare", "_leaderboard", "_protocol", "_ranking", "_retrieval", "_parents", "_scoring",
        "_discover", "_lineup", "metrics", "eds", "garments",
    },
    "cli": {
        "values", "encoders", "store", "garments", "report", "cli", "_embed", "_search",
        "_check", "_compare", "_leaderboard", "_stress", "_inspect", "_fuse", "__init__", "presets",
        "reproduce", "collect", "_indexes", "_tune", "_discover", "eds", "_pooling", "_against", "_relevance",
    },
    "__init__": {
        "values", "encoders", "store", "index", "metrics", "garments", "eds", "_check", "_embed", "_search",
        "_compare", "_discover", "_pooling", "_leaderboard", "_stress", "_fuse", "_protocol", "_ranking", "_retrieval", "_against", "_relevance", "_tune",
    },
    "__main__": {"cli"},
}  # fmt: skip


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The layers that a module imports, wherever in it the import stands."""
    package = ("likelens", *path.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "likelens":
                inner = name[1] if len(name) > 1 else "__init__"
                known = (ROOT / inner).is_dir() or (ROOT / f"{inner}.py").is_file()
                found.add(inner if known else "__init__")
    return found


def test_every_module_has_a_layer_and_keeps_to_it():
    for path in ROOT.rglob("*.py"):
        name = layer(path)
        assert name in ALLOWED, f"{path} has no layer"
        wrong = imports(path) - ALLOWED[name]
        assert not wrong, f"{path} imports {wrong}"


def test_the_check_sees_imports():
    assert imports(ROOT / "_search" / "searcher.py") >= {"values", "encoders", "index", "store"}
