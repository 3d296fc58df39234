"""What an ONNX file holds, read without the onnx package; and the file without what is not needed.

An ONNX file is a protocol-buffer message (github.com/onnx/onnx, onnx/onnx.proto). Only the
few fields needed are read, the rest is skipped over by its length.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

# Field numbers of onnx.proto.
_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12  # of GraphProto
_TAKES, _MAKES, _ATTRIBUTE = 1, 2, 5  # of NodeProto
_INNER = (6, 11)  # of AttributeProto: a graph, and several
_DIMS, _TYPE, _NAME, _EXTERNAL = 1, 2, 8, 13  # of TensorProto
_VALUE_NAME = 1  # of ValueInfoProto
_NAMED = {_INITIALIZER: _NAME, _INPUT: _VALUE_NAME, _OUTPUT: _VALUE_NAME}
_KEY, _VALUE = 1, 2  # of StringStringEntryProto

_WHOLE_NUMBERS = (6, 7, 9)  # INT32, INT64, BOOL: shapes, axes and offsets, not weights

Message = memoryview


@dataclass(frozen=True)
class OnnxFile:
    """What is known of a model file without running it.

    Attributes:
        content: hash of its bytes and of those of the files with its outer weights.
        parameters: numbers in its weights, or None for a file in onnxruntime's own format.
        size_bytes: size of it and of those files.
    """

    content: str
    parameters: int | None
    size_bytes: int


def read_onnx_file(path: Path) -> OnnxFile:
    """Hash, parameters and size of a model file.

    Counted as parameters are the initialisers of more than one value, but for those of
    whole-number types, which hold shapes and axes.

    Args:
        path: a file that onnxruntime has loaded, so that its structure is sound.

    Raises:
        OSError: the file, or one with its outer weights, cannot be read.
    """
    data = path.read_bytes()
    digest = hashlib.blake2b(data, digest_size=16)
    if data[4:8] == b"ORTM":
        return OnnxFile(digest.hexdigest(), None, len(data))
    count, size, others = 0, len(data), set[str]()
    for graph in _messages(memoryview(data), _GRAPH):
        for tensor in _messages(graph, _INITIALIZER):
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
    """Names of files with outer weights that do not lie in the model's folder.

    Of a damaged file nothing is said: onnxruntime does that better.
    """
    data, folder, found = path.read_bytes(), path.parent.resolve(), set[str]()
    if data[4:8] == b"ORTM":
        return []
    try:
        for graph in _messages(memoryview(data), _GRAPH):
            for tensor in _messages(graph, _INITIALIZER):
                found.update(_locations(tensor))
    except (IndexError, KeyError, ValueError):
        return []
    return sorted(name for name in found if not (folder / name).resolve().is_relative_to(folder))


def cut_down(data: bytes, outputs: Collection[str]) -> bytes | None:
    """The model with only the nodes and weights that some of its outputs need.

    onnxruntime computes every node of a file, whatever it is asked for: for features also
    the head that makes logits of them.

    Args:
        data: of a file in the ONNX format, sound, whose nodes come after what they take (as
            the format demands).
        outputs: names of those that are wanted.

    Returns:
        The bytes of such a file, or None if there is nothing that can be left out.
    """
    [graph] = _messages(memoryview(data), _GRAPH)
    parts = [*_parts(graph)]
    needed, left_out = set(outputs), set[int]()
    for place in reversed(range(len(parts))):
        number, value, _ = parts[place]
        if number == _NODE and isinstance(value, memoryview):
            if needed.isdisjoint(_names(value, _MAKES)):
                left_out.add(place)
            else:
                needed |= _taken(value)
    if not left_out:
        return None
    useless = {name for tensor in _messages(graph, _INITIALIZER) for name in _names(tensor, _NAME)}
    useless -= needed
    for place, (number, value, _) in enumerate(parts):
        if isinstance(value, int) or number not in _NAMED:
            continue
        names = _names(value, _NAMED[number])
        # Older files list their weights among the inputs, too.
        if not names.isdisjoint(useless) or (number == _OUTPUT and names.isdisjoint(outputs)):
            left_out.add(place)
    kept = b"".join(raw for place, (_, _, raw) in enumerate(parts) if place not in left_out)
    return b"".join(
        _tagged(_GRAPH, kept) if number == _GRAPH else raw
        for number, _, raw in _parts(memoryview(data))
    )


def _taken(node: Message) -> set[str]:
    """What a node takes, in the graphs within it (of a loop, of a choice) too."""
    taken = _names(node, _TAKES)
    for attribute in _messages(node, _ATTRIBUTE):
        for number in _INNER:
            for graph in _messages(attribute, number):
                taken.update(*map(_taken, _messages(graph, _NODE)))
    return taken


def _names(message: Message, number: int) -> set[str]:
    """The texts in a field; an empty one stands for what is left out."""
    return {str(text, "utf-8") for text in _messages(message, number)} - {""}


def _tagged(number: int, content: bytes) -> bytes:
    """A field of that content."""
    tag, length = _as_varint(number << 3 | 2), _as_varint(len(content))
    return tag + length + content


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
            yield pair[_VALUE].decode()


def _messages(data: Message, wanted: int) -> Iterator[Message]:
    for number, value in _fields(data):
        if number == wanted and isinstance(value, memoryview):
            yield value


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
    """Field numbers, values and whole fields of a message; values of fixed width are taken as 0."""
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
        else:
            place += {1: 8, 5: 4}[wire]
        yield number, value, data[start:place]


def _varint(data: Message, place: int) -> tuple[int, int]:
    """A number of variable length, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
