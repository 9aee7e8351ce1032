"""Documents of the library as frozen typed classes."""

from __future__ import annotations

import dataclasses
import html
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

D = TypeVar("D", bound="Document")


class Document:
    """What all plans and reports have in common: they are values, and know the document that they were read from."""

    __slots__ = ()

    @classmethod
    def from_dict(cls: type[D], document: Mapping[str, Any]) -> D:
        """Reads a document as `to_dict` gives it."""
        values = {name: _read(kind, document.get(name)) for name, kind in _fields(cls).items()}
        return cls(**values)

    @classmethod
    def from_json(cls: type[D], text: str) -> D:
        """Reads the text of a document."""
        return cls.from_dict(json.loads(text))

    def to_dict(self) -> dict[str, Any]:
        """This value as plain dictionaries, lists, texts and numbers."""
        return {name: _plain(getattr(self, name)) for name in _fields(type(self))}

    def _repr_html_(self) -> str:
        rows = []
        for name, value in self.to_dict().items():
            shown = f"{len(value)} of them" if isinstance(value, list) and len(value) > 5 else str(value)
            rows.append(f"<tr><th>{html.escape(name)}</th><td>{html.escape(shown)}</td></tr>")
        return f"<table><caption>{type(self).__name__}</caption>{''.join(rows)}</table>"


_FIELDS: dict[type[Document], dict[str, Any]] = {}


def _fields(cls: type[Document]) -> dict[str, Any]:
    """What the fields of a class are, looked up once."""
    if cls not in _FIELDS:
        hints = typing.get_type_hints(cls)
        _FIELDS[cls] = {field.name: hints[field.name] for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return _FIELDS[cls]


def _read(kind: Any, value: Any) -> Any:
    """Makes what a field says it is of what JSON has."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _read(inner[0], value)
    if origin is tuple:
        return tuple(_read(inner[0], one) for one in value or ())
    if isinstance(kind, type) and issubclass(kind, Document):
        return kind.from_dict(value)
    if kind is str and isinstance(value, dict) and value.keys() == {"schema", "name"}:
        return f"{value['schema']}.{value['name']}"
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Document):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
