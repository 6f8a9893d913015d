"""Folders that are complete before they have their name. Not here: single files (files.py).

A draft lies beside its target, `.<name>.<pid>.new`, so that the last step is one rename on one file system. Drafts of processes that were
killed are removed by whoever drafts the same folder next; those of a living process are left to it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LEFTOVER = re.compile(r"^\.(?P<name>.+)\.(?P<pid>\d+)\.(?P<kind>new|old)$")


@contextmanager
def folder_draft(target: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `target` when the block ends well, and is gone when it does not."""
    sweep(target)
    draft = draft_of(target)
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        yield draft
        replace_folder(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def draft_of(target: Path) -> Path:
    """Return the name of this process's draft of `target`, a file or a folder."""
    return _named(target, "new")


def replace_folder(draft: Path, target: Path) -> None:
    """Give `draft` the name of `target`; what had it is kept beside it until then."""
    old = _named(target, "old")
    shutil.rmtree(old, ignore_errors=True)
    with suppress(FileNotFoundError):
        target.rename(old)
    draft.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def sweep(target: Path) -> None:
    """Remove what killed processes left of drafts of `target`; one killed between the two renames gets its old folder back."""
    if not target.parent.is_dir():
        return
    found = [(entry, LEFTOVER.match(entry.name)) for entry in sorted(target.parent.iterdir())]
    for entry, match in found:
        if match is None or match["name"] != target.name or _is_alive(int(match["pid"])):
            continue
        if match["kind"] == "old" and not target.exists():
            entry.rename(target)
        elif entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _named(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.{kind}")


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # of an earlier process with our number, or of an earlier try of ours
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
