"""What a field of a settings class accepts, in words, and the fields by their place. Not here: reading params.yaml, writing the docs."""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from simulator.parameters import LARGEST

WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false", dt.date: "date"}


def allowed(field: FieldInfo) -> str:
    """Return what a field accepts, e.g. `whole number, 1 to 3600`, `list of numbers, each above 0`, `staged | twin`."""
    return _words(field.annotation, field.metadata)


def _words(kind: Any, metadata: Sequence[Any]) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _words(inner[0], [*_constraints(inner[1:]), *metadata])
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (Union, types.UnionType):
        return " or ".join("null" if one is type(None) else _words(one, metadata) for one in inner)
    if origin in (tuple, list):
        return _listed(inner, metadata)
    if origin is dict:
        return f"names with {_words(inner[1], ())} each"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "a section"
    return WORDS.get(kind, str(kind)) + (_interval(metadata, is_number=kind in (int, float)) if kind is not bool else "")


def _listed(inner: tuple[Any, ...], metadata: Sequence[Any]) -> str:
    one = _words(inner[0], ())
    count = "" if Ellipsis in inner or len(inner) == 1 else f"{len(inner)} "
    least = next((f", at least {m.min_length}" for m in metadata if getattr(m, "min_length", 0)), "")
    what, comma, limits = one.partition(", ")
    plural = {"text": "texts"}.get(what, f"{what}s")
    return f"list of {count}{plural}{least}" + (f", each {limits}" if comma else "")


def _interval(metadata: Sequence[Any], *, is_number: bool) -> str:
    """Words for the bounds, e.g. `, 1 to 60` or `, above 0, below 1`; a number without an upper bound has LARGEST."""
    found = {name: getattr(m, name) for m in metadata for name in ("ge", "gt", "le", "lt") if getattr(m, name, None) is not None}
    if not is_number:
        return ""
    if not found.keys() & {"le", "lt"}:
        found["le"] = LARGEST
    if found.keys() == {"ge", "le"}:
        return f", {found['ge']:.12g} to {found['le']:.12g}"
    words = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
    return "".join(f", {word} {found[name]:.12g}" for name, word in words if name in found)


def _constraints(metadata: Sequence[Any]) -> list[Any]:
    """Constraints of an annotation, those inside `Field(...)` too."""
    return [one for m in metadata for one in (m.metadata if isinstance(m, FieldInfo) else [m])]


def nested(kind: Any) -> type[BaseModel] | None:
    """Return the settings class that an annotation holds, inside a union or as the values of a mapping too; None if it holds none."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for one in get_args(kind) if (found := nested(one))), None)


def keys_of(kind: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a section by the name that params.yaml uses."""
    return {field.alias or name: field for name, field in kind.model_fields.items()}


def field_at(kind: type[BaseModel], place: Sequence[int | str]) -> tuple[FieldInfo | None, list[str], str]:
    """Return the field in which a fault lies (None for an unknown key), the keys that are known there, and the place as a dotted name.

    Args:
        kind: of the section.
        place: keys and positions from the section down, as pydantic names them.
    """
    field, known, name = None, list(keys_of(kind)), ""
    section: type[BaseModel] | None = kind
    entries: type[BaseModel] | None = None  # of a mapping whose next key is a name
    for step in place:
        if isinstance(step, int):
            name += f"[{step}]"
            continue
        if entries is not None:
            section, entries = entries, None
        elif section is not None and step in keys_of(section):
            field, known = keys_of(section)[str(step)], list(keys_of(section))
            inner, is_mapping = nested(field.annotation), get_origin(field.annotation) is dict
            section, entries = (None, inner) if is_mapping else (inner, None)
        elif section is not None and step != "[key]":
            return None, list(keys_of(section)), f"{name}.{step}"
        else:  # which kind of a union was tried
            continue
        name += f".{step}"
    return field, known, name
