"""Sets the `profile:` line of params.yaml. Belongs here: that one line. Does not: any other parameter, which the user edits by hand."""

from __future__ import annotations

import re
from pathlib import Path

from core.errors import ParameterError

# The value of a top-level `profile:` only; what follows it (a comment) stays.
LINE = re.compile(r"^(profile:[ \t]*)([^\s#]+)", re.MULTILINE)


def set_profile(params_file: Path, profile: str) -> bool:
    """Write `profile` into params.yaml, byte for byte the same elsewhere; an equal one leaves the file untouched.

    Returns:
        Whether the file was changed.

    Raises:
        ParameterError: the profile is not one of `profiles`, or the file has no `profile:` line.
    """
    from tasks.core.files import write_text_atomic
    from tasks.core.params import read, require_profile

    raw = read(params_file)
    require_profile(profile, raw["profiles"], f"{params_file}: profiles")
    if raw["profile"] == profile:
        return False
    text = params_file.read_text(encoding="utf-8")
    changed, count = LINE.subn(rf"\g<1>{profile}", text, count=1)
    if count == 0:
        raise ParameterError("has no line 'profile: ...'", where=str(params_file), how=f"add the line: profile: {profile}")
    write_text_atomic(params_file, changed)
    return True
