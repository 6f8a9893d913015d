"""What a file was made from: every JSON file that a stage writes carries its profile and the fingerprints of its inputs, as `made_from`.

`python -m tasks` looks before a stage whether its inputs agree, and stamps after it. A stage itself knows nothing of this: it writes its
records without the stamp, and readers of records never see it. A fingerprint is about content, and of staged days only about those that
the stage may see, so that a new day on disk moves no result of the days before it.

Not here: which stage reads what (dvc.yaml), whether data are good (tasks/data/verdict.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import DamagedFileError
from tasks.core.files import read_json, write_json

KEY = "made_from"
DIGITS = 16  # of a fingerprint
RAW = "data/raw/"  # state.json of the staged tables holds the digest of every raw file
STATE = "state.json"
VERDICT = "judged"  # the key that a verdict has: it lets data pass, nothing is computed from it
REBUILD = "build them from the same inputs: trine run"


@dataclass
class MadeFrom:
    """What the inputs of a stage say together.

    Args:
        profile: under which they were made; empty: none of them says so.
        inputs: fingerprint by file or folder, of all inputs and of those they were made from.
    """

    profile: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)  # fingerprint or "profile" -> the file that says so

    def add_profile(self, profile: str, by: str) -> None:
        """Take the word of a file for the profile.

        Raises:
            DamagedFileError: another file has said otherwise.
        """
        if self.profile and self.profile != profile:
            what = f"the inputs disagree: {by} is of profile {profile}, {self._said['']} of profile {self.profile}"
            raise DamagedFileError(what, where=f"{by}, {self._said['']}", how=REBUILD)
        self.profile = profile
        self._said.setdefault("", by)

    def add_input(self, name: str, fingerprint: str, by: str) -> None:
        """Take the word of a file for the fingerprint of an input.

        Raises:
            DamagedFileError: another file was made from something else under that name.
        """
        if self.inputs.setdefault(name, fingerprint) != fingerprint:
            what = f"the inputs disagree: {by} and {self._said[name]} were not made from the same {name}"
            raise DamagedFileError(what, where=f"{by}, {self._said[name]}", how=REBUILD)
        self._said.setdefault(name, by)

    def stamp(self) -> dict[str, Any]:
        """What is written into a file."""
        return {"profile": self.profile, "inputs": self.inputs}


def made_from(root: Path, dependencies: Iterable[str], profile: str | None, until_day: int | None) -> MadeFrom:
    """Return what the inputs of a stage were made from.

    Args:
        root: of the working tree.
        dependencies: files and folders that other stages write.
        profile: the active one if the stage declares it.
        until_day: first staged day that the stage does not see; None: it sees all.

    Raises:
        DamagedFileError: two inputs were made from different things, some carry no stamp while others do, or one is no JSON.
    """
    found = MadeFrom()
    if profile is not None:
        found.add_profile(profile, "params.yaml")
    without, stamped = [], []
    for name in sorted(dependencies):
        for file in _files(root, name):
            value = read_json(file)
            if not isinstance(value, dict):
                continue  # a list carries no stamp
            stamp = value.get(KEY)
            shown = file.relative_to(root).as_posix()
            if stamp is None:
                without.append(shown)
                continue
            stamped.append(shown)
            found.add_profile(stamp["profile"], shown)
            for source, fingerprint in stamp["inputs"].items():
                found.add_input(source, fingerprint, shown)
        for key, fingerprint in _fingerprints(root, name, until_day):
            found.add_input(key, fingerprint, name)
    if without and stamped:
        what = f"{without[0]} does not say what it was made from, {stamped[0]} does: it is not the file that its stage wrote"
        raise DamagedFileError(what, where=without[0], how=REBUILD)
    return found


def stamp_outputs(root: Path, outputs: Iterable[str], made: MadeFrom) -> None:
    """Write `made_from` into every JSON object that a stage has written; lists and what lies deeper in a folder stay as they are."""
    for name in outputs:
        for file in _files(root, name):
            value = read_json(file)
            if isinstance(value, dict) and value.get(KEY) != made.stamp():
                write_json(file, {**value, KEY: made.stamp()})


def without_stamp(value: Any) -> Any:
    """Return what the stage itself wrote."""
    return {key: inner for key, inner in value.items() if key != KEY} if isinstance(value, Mapping) else value


def stamp_of(file: Path) -> dict[str, Any]:
    """Return the stamp of a JSON file, {} if there is none."""
    try:
        value = read_json(file)
    except (OSError, DamagedFileError):
        return {}
    found: dict[str, Any] = value.get(KEY, {}) if isinstance(value, dict) else {}
    return found


def _files(root: Path, name: str) -> list[Path]:
    path = root / name
    if path.is_dir():
        return sorted(path.glob("*.json"))
    return [path] if path.suffix == ".json" and path.is_file() else []


def _fingerprints(root: Path, name: str, until_day: int | None) -> Iterator[tuple[str, str]]:
    """Yield name and fingerprint of what a dependency holds."""
    if name.startswith(RAW):
        return
    if (root / name / STATE).is_file():
        days = read_json(root / name / STATE)["days"]
        seen = {day: facts["files"] for day, facts in days.items() if until_day is None or int(day) < until_day}
        yield (name if until_day is None else f"{name} before day {until_day}"), _digest(seen)
        return
    for file in _files(root, name):
        content = without_stamp(read_json(file))
        if not (isinstance(content, dict) and VERDICT in content):
            yield file.relative_to(root).as_posix(), _digest(content)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGITS]
