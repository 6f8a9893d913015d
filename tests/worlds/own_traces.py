"""The same calls of one's own in several dialects, and a working tree that takes them in. Not here: the tests."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import random
import shutil
from pathlib import Path

from core.units import DAY_S
from tasks.core import params as params_module
from tasks.core.params import Params
from tasks.core.paths import Paths

ROOT = Path(__file__).resolve().parents[2]
MONDAY = 1_767_571_200  # 2026-01-05 00:00 UTC; the Sunday before it is day 0
DAY_ZERO = "2026-01-04"


def calls(days: int = 2, count: int = 400) -> list[tuple[int, str, str, int]]:
    """(start in ms from the first midnight, app, function, duration in ms), in order; some in every hour, the last minutes included."""
    rng = random.Random(5)
    found = [
        (round(days * DAY_S * 1000 * (k + 0.5) / count), rng.choice("abc"), rng.choice(["pay", "list"]), rng.randrange(5, 900))
        for k in range(count)
    ]
    return sorted(found)


def canonical(days: int = 2) -> bytes:
    """As the source wants it: hashed ids, seconds from the Sunday before."""
    rows = [
        f"{_hash(f'app-{app}')},{_hash(f'app-{app}', function)},{_s(start + ms)},{_s(ms, 0)}" for start, app, function, ms in calls(days)
    ]
    return _text("app,func,end_timestamp,duration", rows)


def unix_ms(days: int = 2) -> bytes:
    """Canonical columns with milliseconds since 1970 and readable ids."""
    rows = [f"app-{app},{function},{MONDAY * 1000 + start + ms},{ms}" for start, app, function, ms in calls(days)]
    return _text("app,func,end_timestamp,duration", rows)


def renamed(days: int = 2) -> bytes:
    """Other columns, other separators, times in words."""
    rows = [f"app-{app};{function};{_iso(start)};{ms / 1000}" for start, app, function, ms in calls(days)]
    return _text("Service;Handler;Started At;elapsed_s", rows)


def json_lines(days: int = 2) -> bytes:
    """Objects with an object inside, seconds since 1970."""
    rows = [
        json.dumps({"service": f"app-{app}", "call": {"function": function, "ts": MONDAY + start / 1000, "duration_ms": ms}})
        for start, app, function, ms in calls(days)
    ]
    return ("\n".join(rows) + "\n").encode()


def compressed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def own_tree(root: Path, **changes: object) -> tuple[Params, Paths]:
    """A working tree with the profile own, and its parameters; `changes` by name with `__` for a dot."""
    root.mkdir(parents=True, exist_ok=True)
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    text = "\n".join("profile: own" if line.startswith("profile:") else line for line in lines) + "\n"
    (root / "params.yaml").write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "expectations", root / "expectations", dirs_exist_ok=True)
    (root / "data").mkdir(exist_ok=True)
    if not (root / "data" / "reference").exists():
        (root / "data" / "reference").symlink_to(ROOT / "data" / "reference")
    paths = Paths(root)
    paths.inbox("azure2021").mkdir(parents=True, exist_ok=True)
    return params_module.load(root / "params.yaml").changed({name.replace("__", "."): value for name, value in changes.items()}), paths


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _s(ms: int, from_s: int = DAY_S) -> str:
    return f"{from_s + ms / 1000:.3f}"


def _iso(ms: int) -> str:
    return dt.datetime.fromtimestamp(MONDAY + ms / 1000, dt.UTC).isoformat()


def _text(header: str, rows: list[str]) -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()
