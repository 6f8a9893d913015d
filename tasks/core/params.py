"""Reads params.yaml: the active profile's overrides, a view of what a stage declares, errors that name the nearest key.

Not here: any section (its model lies beside the code that reads it), environment variables (environment.py), the profile's line (flows).
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError

from core.errors import ParameterError
from tasks.core.bounds import allowed, field_at

BY_PROFILE, DEFAULT, LATEST = "by_profile", "default", "latest"
LARGEST_WHOLE, LAST_DAY = 2**31 - 1, 36_500
WHOLE = {  # values outside of a section: least, most, meaning
    "seed": (0, LARGEST_WHOLE, "seed of everything that is sampled, and of the twin"),
    "epoch": (0, LARGEST_WHOLE, "raise it to rebuild everything"),
    "as_of_day": (1, LAST_DAY, "the first day that features and reports do not see; or `latest`"),
    "window_days": (1, LAST_DAY, "how many days before `as_of_day` they see"),
}
SHOWN = 80  # characters of a refused value
RESTORE = "restore it: git checkout params.yaml"
Kind = TypeVar("Kind", bound=BaseModel)


class Params:
    """A view of params.yaml with the active profile merged in; what was not declared cannot be read.

    Args:
        values: all parameters, overrides resolved.
        declared: names as in `params:` of dvc.yaml (`seed`, `scenario`, `traces.azure2021`); None: everything may be read.
    """

    def __init__(self, values: Mapping[str, Any], declared: frozenset[str] | None = None) -> None:
        self._values, self._declared = values, declared
        self._sections: dict[tuple[str, type[BaseModel]], BaseModel] = {}

    def section(self, name: str, kind: type[Kind]) -> Kind:
        """Return the section `name` (dots lead inside, as in `traces.azure2021`) as a checked, frozen `kind`.

        Raises:
            ParameterError: it is not declared, does not exist, has an unknown key, or a value is out of bounds (all faults are listed).
        """
        self._require(name)
        if (name, kind) not in self._sections:
            try:
                self._sections[name, kind] = kind.model_validate(_find(self._values, name))
            except ValidationError as error:
                how = "correct these values; docs/parameters.md lists what each accepts"
                raise ParameterError(_faults(error, name, kind), where="params.yaml", how=how) from None
        return cast("Kind", self._sections[name, kind])

    def changed(self, overrides: Mapping[str, Any]) -> Params:
        """Return a copy with other values, by name: `{"seed": 2, "scenario.days": 3, "traces.azure2021.from": "inbox"}`.

        Raises:
            ParameterError: a name does not exist; the nearest one is named.
        """
        values = copy.deepcopy(dict(self._values))
        for name, value in overrides.items():
            _find(values, name)
            *sections, key = name.split(".")
            (_find(values, ".".join(sections)) if sections else values)[key] = value
        return Params(values, self._declared)

    @property
    def profile(self) -> str:
        """The active profile."""
        self._require("profile")
        return str(_find(self._values, "profile"))

    @property
    def seed(self) -> int:
        """Of everything sampled, 0 or more."""
        return self._whole("seed")

    @property
    def epoch(self) -> int:
        """Raised by hand to rebuild everything, 0 or more."""
        return self._whole("epoch")

    @property
    def as_of_day(self) -> int:
        """The first day that features and reports do not see, 1 or more."""
        return self._whole("as_of_day")

    @property
    def until_day(self) -> int | None:
        """`as_of_day`, or None where it is `latest`: then the traces say it (tasks/data/split.py)."""
        self._require("as_of_day")
        return None if _find(self._values, "as_of_day") == LATEST else self.as_of_day

    @property
    def window_days(self) -> int:
        """How many days before `as_of_day` they see, 1 or more."""
        return self._whole("window_days")

    def _whole(self, name: str) -> int:
        self._require(name)
        least, most, _ = WHOLE[name]
        value = _find(self._values, name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            what = f"{name} is {_shown(value)} (allowed: whole number, {least} to {most})"
            raise ParameterError(what, where="params.yaml", how=f"set it to a whole number from {least} to {most}")
        return value

    def _require(self, name: str) -> None:
        if self._declared is None or any(name == known or name.startswith(f"{known}.") for known in self._declared):
            return
        listed = ", ".join(sorted(self._declared)) or "nothing"
        how = f"add {name} to `params:` of the stage in dvc.yaml, which declares {listed}; or do not read it"
        raise ParameterError(f"the stage reads '{name}' but does not declare it", where="dvc.yaml", how=how)


def load(path: Path, declared: Iterable[str] | None = None) -> Params:
    """Read params.yaml and resolve the overrides of the active profile.

    Args:
        path: of params.yaml.
        declared: what the caller may read, as `params:` of a stage in dvc.yaml names it; None: everything.

    Raises:
        ParameterError: the file is missing or is not YAML, a profile is unknown, an override names an unknown key, or a declared section
            has overrides while `profile` is not declared.
    """
    raw = read(path)
    require_profile(raw["profile"], raw["profiles"], f"{path}: profile")
    view = None if declared is None else frozenset(declared)
    for name in sorted(view or ()):
        if "profile" not in (view or ()) and _has_overrides(_find(raw, name)):
            how = "declare `profile` too, else DVC does not notice another one"
            raise ParameterError(f"'{name}' has {BY_PROFILE}, but the stage does not declare `profile`", where="dvc.yaml", how=how)
    values = {key: _resolved(value, raw["profile"], raw["profiles"], f"{key}.") for key, value in raw.items() if key != "profiles"}
    return Params(values, view)


def read(path: Path) -> dict[str, Any]:
    """Return params.yaml as it is written.

    Raises:
        ParameterError: the file is missing, is not YAML, has no `profile` or no list `profiles`.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise ParameterError("params.yaml is missing", where=str(path), how=RESTORE) from None
    except UnicodeDecodeError as error:
        where = f"{path}, byte {error.start}"
        raise ParameterError("holds bytes that are not UTF-8", where=where, how="save the file as UTF-8, or " + RESTORE) from None
    except yaml.YAMLError as error:
        raise ParameterError(f"not valid YAML: {error}", where=str(path), how="fix the line named in the message") from None
    names = raw.get("profiles") if isinstance(raw, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or "profile" not in raw:
        raise ParameterError("needs the keys 'profile' and 'profiles' (a list of names)", where=str(path), how=RESTORE)
    return dict(raw)


class _Loader(yaml.SafeLoader):
    """YAML in which a key that is listed twice is an error: the first value would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping of distinct keys."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen if isinstance(key, yaml.ScalarNode) else False:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' is listed twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def require_profile(profile: Any, known: Iterable[str], where: str) -> None:
    """Check that a profile exists.

    Raises:
        ParameterError: it is not among `known`.
    """
    names = sorted(known)
    if not isinstance(profile, str):
        raise ParameterError(f"the profile is {_shown(profile)}, not a name", where=where, how=f"choose one of: {', '.join(names)}")
    if profile not in names:
        near = difflib.get_close_matches(profile, names, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ParameterError(f"unknown profile '{profile}'{hint}", where=where, how=f"choose one of: {', '.join(names)}")


def merge(base: Mapping[str, Any], over: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return `base` with `over` merged into it, section by section.

    Raises:
        ParameterError: a key of `over` does not exist in `base`; the nearest existing one is named.
    """
    out = dict(base)
    for key, value in over.items():
        if key not in base:
            raise ParameterError(f"unknown parameter '{where}{key}'", where="params.yaml", how=_nearest(key, base))
        both_maps = isinstance(value, Mapping) and isinstance(base[key], Mapping)
        out[key] = merge(base[key], value, f"{where}{key}.") if both_maps else value
    return out


def _resolved(value: Any, profile: str, profiles: Iterable[str], where: str) -> Any:
    """Take `by_profile` out of a section and of the sections in it, and merge in what the active profile says there."""
    if not isinstance(value, dict):
        return value
    own = {key: _resolved(inner, profile, profiles, f"{where}{key}.") for key, inner in value.items() if key != BY_PROFILE}
    overrides = value.get(BY_PROFILE) or {}
    place = f"params.yaml: {where}{BY_PROFILE}"
    if not isinstance(overrides, dict):
        raise ParameterError(f"is {_shown(overrides)}, not a map of profiles", where=place, how="write it as {sample: {key: value}}")
    for name in overrides:
        require_profile(name, profiles, place)
    if own.keys() == {DEFAULT}:  # a value that a profile replaces as a whole
        return overrides.get(profile, own[DEFAULT])
    over = overrides.get(profile) or {}
    if not isinstance(over, dict):
        raise ParameterError(f"{profile} is {_shown(over)}, not a map of values", where=place, how="write it as {key: value}")
    return merge(own, over, where)


def _has_overrides(value: Any) -> bool:
    return isinstance(value, dict) and (BY_PROFILE in value or any(_has_overrides(inner) for inner in value.values()))


def _find(values: Mapping[str, Any], name: str) -> Any:
    found: Any = values
    for key in name.split("."):
        if not isinstance(found, Mapping) or key not in found:
            known = found if isinstance(found, Mapping) else {}
            raise ParameterError(f"params.yaml has no '{name}'", where="params.yaml", how=_nearest(key, known))
        found = found[key]
    return found


def _nearest(key: Any, known: Iterable[Any]) -> str:
    names = sorted(map(str, known))
    near = difflib.get_close_matches(str(key), names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(names)}"


def _faults(error: ValidationError, name: str, kind: type[BaseModel]) -> str:
    """All faults in one line, each with key, value and bounds; an unknown key comes with the nearest known one."""
    listed = []
    for fault in error.errors():
        field, known, place = field_at(kind, fault["loc"])
        own = fault["msg"].removeprefix("Value error, ") if fault["type"] == "value_error" else ""
        if fault["type"] == "extra_forbidden":
            listed.append(f"{name}{place}: unknown key ({_nearest(fault['loc'][-1], known)})")
        elif not fault["loc"]:
            listed.append(f"{name}: {own or fault['msg']}")
        else:
            value = "missing" if fault["type"] == "missing" else _shown(fault["input"])
            words = "; ".join(filter(None, (own, f"allowed: {allowed(field)}" if field else "")))
            listed.append(f"{name}{place} is {value} ({words or fault['msg']})")
    return "; ".join(dict.fromkeys(listed))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
