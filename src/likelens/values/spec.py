"""The one string that names an encoder: ``source:identifier[@layer][?option=value&...]``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TypeVar

from .errors import BadSpec

T = TypeVar("T", int, float, str)


@dataclass(frozen=True)
class Spec:
    """A parsed encoder name; ``str(spec)`` reads back as the same spec.

    Attributes:
        source: who makes the encoder: ``onnx``, ``opencv``, ``control``.
        identifier: what the source calls it: a file, a model name.
        layer: which output, or None for the source's default.
        options: text values by name.

    Example:
        >>> Spec.parse("onnx:model.onnx@features?size=224")
        Spec(source='onnx', identifier='model.onnx', layer='features', options={'size': '224'})
        >>> str(Spec.parse("opencv:sift?words=512&seed=1"))
        'opencv:sift?seed=1&words=512'
    """

    source: str
    identifier: str
    layer: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read a spec.

        The value of the last option may itself be a spec with options
        (``control:shuffled?of=opencv:sift?words=64``).

        Raises:
            BadSpec: the text is not of that form.
        """
        form = "write source:identifier[@layer][?option=value], such as onnx:model.onnx@features"
        head, question, tail = text.strip().partition("?")
        source, colon, rest = head.partition(":")
        identifier, at, layer = rest.rpartition("@") if "@" in rest else (rest, "", "")
        if "/" in layer or "\\" in layer:  # an @ in a folder's name
            identifier, at, layer = rest, "", ""
        if not colon or not source or not identifier or (at and not layer):
            raise BadSpec(f"{text!r} is not the name of an encoder", where=text, mend=form)
        options: dict[str, str] = {}
        while question and tail:
            name, equals, value = tail.partition("=")
            if not equals or not name or name in options:
                problem = "is given twice" if name in options else "has no value"
                raise BadSpec(f"option {name!r} {problem}", where=text, mend=form)
            inner, found, after = value.partition("&")
            if ":" in inner and "?" in inner:  # a spec within: takes all the rest
                inner, found, after = value, "", ""
            options[name] = inner
            tail, question = after, found
        return cls(source, identifier, layer or None, dict(sorted(options.items())))

    def __str__(self) -> str:
        layer = f"@{self.layer}" if self.layer else ""
        plain = {k: v for k, v in self.options.items() if "?" not in v}
        nested = {k: v for k, v in self.options.items() if "?" in v}
        options = "&".join(f"{k}={v}" for k, v in {**plain, **nested}.items())
        return f"{self.source}:{self.identifier}{layer}{'?' if options else ''}{options}"

    def __hash__(self) -> int:
        return hash(str(self))

    def with_layer(self, layer: str | None) -> Spec:
        """The same encoder, another layer."""
        return Spec(self.source, self.identifier, layer, self.options)

    def option(
        self,
        name: str,
        kind: type[T],
        default: T,
        *,
        low: float | None = None,
        high: float | None = None,
        choices: tuple[str, ...] = (),
    ) -> T:
        """An option's value as a number or text, or the default.

        Raises:
            BadSpec: not of that kind, outside low..high, or none of the choices.
        """
        if name not in self.options:
            return default
        text = self.options[name]
        bounds = _bounds(kind, low, high, choices)
        wrong = BadSpec(
            f"option {name}={text} is not {bounds}", where=str(self), mend=f"give {bounds}"
        )
        try:
            value = kind(text)
        except ValueError:
            raise wrong from None
        outside = not isinstance(value, str) and not (
            (low is None or value >= low) and (high is None or value <= high)
        )
        if outside or (choices and text not in choices):
            raise wrong
        return value

    def check_options(self, known: tuple[str, ...]) -> None:
        """Refuse options that the source does not have.

        Raises:
            BadSpec: an unknown option; the message lists the known ones.
        """
        unknown = [name for name in self.options if name not in known]
        if unknown:
            raise BadSpec(
                f"{self.source}:{self.identifier} has no option {unknown[0]!r}",
                where=str(self),
                mend=f"its options are: {', '.join(known) or 'none'}",
            )


def _bounds(kind: type, low: float | None, high: float | None, choices: tuple[str, ...]) -> str:
    if choices:
        return f"one of {', '.join(choices)}"
    name = {int: "a whole number", float: "a number"}.get(kind, "a word")
    if low is None and high is None:
        return name
    if high is None:
        return f"{name} of at least {low}"
    return f"{name} from {low if low is not None else '-inf'} to {high}"


def fingerprint(**parts: object) -> str:
    """A short hash of everything that decides an encoder's vectors.

    Args:
        parts: values that JSON can write; equal parts give equal fingerprints.

    Returns:
        16 hexadecimal digits.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
