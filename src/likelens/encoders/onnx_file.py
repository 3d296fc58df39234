"""Reads an ONNX file without the onnx package, and cuts off what some outputs do not need.

An ONNX file is a protocol-buffer message (github.com/onnx/onnx, onnx/onnx.proto). Only the
fields needed are read; the others are skipped by their length.
"""

from __future__ import annotations

import hashlib
import math
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

# Field numbers of onnx.proto.
_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12  # of GraphProto
_TAKES, _MAKES, _ATTRIBUTE = 1, 2, 5  # of NodeProto
_INNER = (6, 11)  # of AttributeProto: a graph, and several
_DIMS, _TYPE, _NAME, _EXTERNAL = 1, 2, 8, 13  # of TensorProto
_VALUE_NAME = 1  # of ValueInfoProto
_NAMED = {_NODE: _MAKES, _INITIALIZER: _NAME, _INPUT: _VALUE_NAME, _OUTPUT: _VALUE_NAME}
_KEY, _VALUE = 1, 2  # of StringStringEntryProto

_HOLDS: Mapping[str, Mapping[int, str]] = {
    "model": {_GRAPH: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {_NODE: "node", _INITIALIZER: "tensor", 15: "sparse tensor"},
    "node": {_ATTRIBUTE: "attribute"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
}  # fmt: skip
"""Which fields of a message hold messages that tensors can be in, and of which kind."""

_DEEPEST = 100
"""Messages within messages; protocol buffers themselves read no more."""

_WORTH = 0.1  # of the weights: a network without less than that is hardly quicker

_WHOLE_NUMBERS = (6, 7, 9)  # INT32, INT64, BOOL: shapes, axes and offsets, not weights

Message = memoryview


@dataclass(frozen=True)
class OnnxFile:
    """What is known of a model file without running it.

    Attributes:
        content: hash of its bytes and of those of all files with external data.
        parameters: number of weights, or None for a file in onnxruntime's own format.
        size_bytes: size of it and of those files.
    """

    content: str
    parameters: int | None
    size_bytes: int


def read_onnx_file(path: Path) -> OnnxFile:
    """Hash, number of parameters and size of a model file.

    The hash covers every byte of the file and of the files with external data, wherever a tensor
    refers to one: initialisers, constants, branches and loops, functions.

    Counted as parameters are tensors of more than one value, except those of
    whole-number types, which hold shapes and axes.

    Args:
        path: a file that onnxruntime has loaded.

    Raises:
        OSError: the file, or one with external data, cannot be read.
        ValueError: the file is damaged.
    """
    data = path.read_bytes()
    digest = hashlib.blake2b(data, digest_size=16)
    if data[4:8] == b"ORTM":
        return OnnxFile(digest.hexdigest(), None, len(data))
    count, size, others = 0, len(data), set[str]()
    for tensor in _tensors(memoryview(data)):
        count += _values(tensor)
        others.update(_locations(tensor))
    for name in sorted(others):
        outer = path.parent / name
        size += outer.stat().st_size
        with outer.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return OnnxFile(digest.hexdigest(), count, size)


def outside(path: Path) -> list[str]:
    """Names of files with external data that are not in the model's folder.

    As in onnxruntime, a symbolic link may lead to where the model's own file really is: the cache
    of the Hugging Face hub keeps all files of a repository in one folder of blobs.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is damaged.
    """
    data = path.read_bytes()
    if data[4:8] == b"ORTM":
        return []
    folders = (path.parent.resolve(), path.resolve().parent)
    found = {name for tensor in _tensors(memoryview(data)) for name in _locations(tensor)}
    return sorted(name for name in found if not _within(name, path.parent, folders))


def _within(name: str, folder: Path, folders: Iterable[Path]) -> bool:
    """Whether a location stays in the model's folder, as text and where it really leads."""
    plain = name.replace("\\", "/")
    absolute = PurePosixPath(plain).is_absolute() or PureWindowsPath(name).drive
    if absolute or posixpath.normpath(plain).startswith("..") or "\0" in name:
        return False
    place = (folder / name).resolve()
    return any(place.is_relative_to(one) for one in folders)


def cut_down(data: bytes, outputs: Collection[str]) -> bytes | None:
    """The model with only the nodes and weights that some of its outputs need.

    onnxruntime computes every node of a file, whatever it is asked for: for features also
    the head that makes logits of them. Nodes go only if all that they take from those that
    stay is an output of the file, and it stays one: onnxruntime joins no nodes across an
    output, so what is left gives the same numbers as before.

    Args:
        data: of a file in the ONNX format that onnxruntime has loaded.
        outputs: names of those that are wanted.

    Returns:
        The bytes of such a file; None if not even a tenth of the weights would go, if a value
        between is no output, or if the weights lie in other files.
    """
    graphs = [*_messages(memoryview(data), _GRAPH)]
    parts = [*_parts(graphs[0])] if len(graphs) == 1 else []
    nodes = {
        place: _Node(_taken(value), _names(value, _MAKES))
        for place, (number, value, _) in enumerate(parts)
        if number == _NODE and isinstance(value, memoryview)
    }
    kept = _needed(nodes, outputs)
    stay, go = (_joined(nodes[place] for place in part) for part in (kept, nodes.keys() - kept))
    declared = set[str]().union(*(_names(one, _VALUE_NAME) for one in _all(parts, _OUTPUT)))
    tensors = [*_all(parts, _INITIALIZER)]
    weights = {name: _values(one) for one in tensors for name in _names(one, _NAME)}
    useless = weights.keys() - stay.takes - declared
    light = sum(weights[name] for name in useless) < _WORTH * sum(weights.values())
    elsewhere = any(any(_locations(tensor)) for tensor in _tensors(memoryview(data)))
    if not go.makes or light or elsewhere or not declared.issuperset(stay.makes & go.takes):
        return None
    gone = useless | go.makes
    left = [raw for number, value, raw in parts if gone.isdisjoint(_called(number, value))]
    return b"".join(_with_graph(data, left))


class _Node(NamedTuple):
    """A node of a graph, or several: the values that they take and make, by name."""

    takes: set[str]
    makes: set[str]


def _joined(nodes: Iterable[_Node]) -> _Node:
    both = _Node(set(), set())
    for node in nodes:
        both.takes.update(node.takes)
        both.makes.update(node.makes)
    return both


def _needed(nodes: Mapping[int, _Node], outputs: Collection[str]) -> set[int]:
    """The nodes that outputs come from."""
    makers = {name: place for place, node in nodes.items() for name in node.makes}
    needed, names = set[int](), [*outputs]
    while names:
        place = makers.get(names.pop())
        if place is not None and place not in needed:
            needed.add(place)
            names += nodes[place].takes
    return needed


def _taken(node: Message) -> set[str]:
    """What a node takes, in the graphs within it (of a loop, of a choice) too."""
    taken = _names(node, _TAKES)
    for attribute in _messages(node, _ATTRIBUTE):
        for number in _INNER:
            for graph in _messages(attribute, number):
                taken.update(*map(_taken, _messages(graph, _NODE)))
    return taken


def _called(number: int, value: int | Message) -> set[str]:
    """The values that a part of a graph makes or describes, if it goes with them.

    Older files list their weights among the inputs, too.
    """
    if number not in _NAMED or isinstance(value, int):
        return set()
    return _names(value, _NAMED[number])


def _with_graph(data: bytes, parts: Iterable[Message]) -> Iterator[bytes | Message]:
    """A model with a graph of other parts."""
    for number, _, raw in _parts(memoryview(data)):
        if number != _GRAPH:
            yield raw
            continue
        parts = [*parts]
        yield _as_varint(_GRAPH << 3 | 2) + _as_varint(sum(map(len, parts)))
        yield from parts


def _all(parts: Iterable[tuple[int, int | Message, Message]], wanted: int) -> Iterator[Message]:
    for number, value, _ in parts:
        if number == wanted and isinstance(value, memoryview):
            yield value


def _names(message: Message, number: int) -> set[str]:
    """The texts in a field; an empty one stands for what is left out."""
    return {str(text, "utf-8") for text in _messages(message, number)} - {""}


def _as_varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def _values(tensor: Message) -> int:
    dims: list[int] = []
    kind = 0
    for number, value in _fields(tensor):
        if number == _TYPE and isinstance(value, int):
            kind = value
        elif number == _DIMS:
            dims += [value] if isinstance(value, int) else _packed(value)
    size = math.prod(dims) if dims else 0
    return size if size > 1 and kind not in _WHOLE_NUMBERS else 0


def _locations(tensor: Message) -> Iterator[str]:
    """The file that holds the tensor's values, if it is another one."""
    for entry in _messages(tensor, _EXTERNAL):
        pair = {
            number: bytes(value)
            for number, value in _fields(entry)
            if isinstance(value, memoryview)
        }
        if pair.get(_KEY) == b"location":
            yield pair.get(_VALUE, b"").decode()


def _tensors(message: Message, kind: str = "model", depth: int = 0) -> Iterator[Message]:
    """All tensors within a message, also those of constants, branches, loops and functions.

    Raises:
        ValueError: the file is damaged.
    """
    if depth > _DEEPEST:
        raise ValueError(f"more than {_DEEPEST} messages within each other")
    for number, value, _ in _parts(message):
        inner = _HOLDS[kind].get(number)
        if inner is None or not isinstance(value, memoryview):
            continue
        if inner == "tensor":
            yield value
        else:
            yield from _tensors(value, inner, depth + 1)


def _messages(data: Message, wanted: int) -> Iterator[Message]:
    return _all(_parts(data), wanted)


def _packed(data: Message) -> list[int]:
    numbers, place = [], 0
    while place < len(data):
        number, place = _varint(data, place)
        numbers.append(number)
    return numbers


def _fields(data: Message) -> Iterator[tuple[int, int | Message]]:
    """Field numbers and values of a message."""
    return ((number, value) for number, value, _ in _parts(data))


def _parts(data: Message) -> Iterator[tuple[int, int | Message, Message]]:
    """Field numbers, values and whole fields of a message; values of fixed width are taken as 0.

    Raises:
        ValueError: the bytes are no such message.
    """
    place = 0
    while place < len(data):
        start = place
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        value: int | Message = 0
        if wire == 0:
            value, place = _varint(data, place)
        elif wire == 2:
            length, place = _varint(data, place)
            value = data[place : place + length]
            place += length
        elif wire in (1, 5):
            place += {1: 8, 5: 4}[wire]
        else:
            raise ValueError(f"field {number} has the unknown type {wire}")
        if place > len(data):
            raise ValueError(f"field {number} ends behind the end of the file")
        yield number, value, data[start:place]


def _varint(data: Message, place: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise ValueError("a number has no end")
