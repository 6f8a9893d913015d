"""What a user sees of DVC's lines: stages, their own lines, faults. Not here: running DVC (repro.py), colours."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tasks.core.progress import CLEAR, LINE, duration

RUNNING = re.compile(r"^Running stage '(.+)':$")
SKIPPED = re.compile(r"^Stage '(.+)' didn't change, skipping$")
RESTORED = re.compile(r"^Stage '(.+)' is cached - skipping run, checking out outputs$")
# What DVC says to those who keep its files in git by hand, and its own housekeeping.
NOT_SHOWN = (
    re.compile(r"^> "),
    re.compile(r"^(Updating|Generating) lock file "),
    re.compile(r"^To (track the changes with git|enable auto staging), run:$"),
    re.compile(r"^\t(git add|dvc config) "),
    re.compile(r"^Use `dvc push` "),
    re.compile(r"^Data and pipelines are up to date\.$"),
    re.compile(r"^\s*$"),
)


@dataclass
class Lines:
    """Takes DVC's lines one by one, shows what matters and counts stages.

    Args:
        always: stages that run every time; that they ran says nothing.
        show: prints one line.
        is_terminal: show the stage that runs, and how far it is, in one line that is overwritten.
        begins: told when a stage begins.
        has_ended: told when a stage has ended.
    """

    always: frozenset[str]
    show: Callable[[str], None]
    is_terminal: bool
    begins: Callable[[str], None]
    has_ended: Callable[[str], None]
    ran: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    _now: str = ""

    def take(self, line: str) -> None:
        """Take the next line."""
        if match := RUNNING.match(line):
            self._next(match[1])
            self.ran.append(match[1])
        elif match := SKIPPED.match(line):
            self._next("")
            self.skipped.append(match[1])
        elif match := RESTORED.match(line):
            self._next("")
            self.restored.append(match[1])
        elif line.startswith(LINE):
            self._passing(f"{self._now} · {line.removeprefix(LINE)}")
        elif not any(pattern.match(line) for pattern in NOT_SHOWN):
            self._clear()
            self.show(line)

    def looked(self, stage: str, said: Iterable[str], *, is_always: bool) -> None:
        """A stage was found up to date without DVC; one that always runs has looked at its inputs and said something."""
        (self.ran if is_always else self.skipped).append(stage)
        for line in said:
            self.show(line)

    def end(self) -> None:
        """The last stage has ended."""
        self._next("")

    def summary(self, seconds: float) -> str:
        """What the run did, in one line."""
        changed = [stage for stage in self.ran if stage.split("@")[0] not in self.always]
        looked = [stage for stage in self.ran if stage not in changed]
        done = [f"rebuilt {_stages(len(changed))}"] if changed else []
        done += [f"restored {_stages(len(self.restored))} from the cache"] if self.restored else []
        if not done:
            inputs = f" (only looked at the inputs: {', '.join(looked)})" if looked else ""
            return f"nothing changed: every result is up to date{inputs}"
        unchanged = len(self.skipped) + len(looked)
        rest = f"; {_stages(unchanged)} unchanged" if unchanged else ""
        return f"{', '.join(done)} in {duration(seconds)}{rest}"

    def _next(self, stage: str) -> None:
        if self._now:
            self.has_ended(self._now)
        self._now = stage
        self._clear()
        if stage:
            self.begins(stage)
            self._passing(f"{stage} · running")

    def _passing(self, text: str) -> None:
        if self.is_terminal:
            print(f"{CLEAR}{text}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self.is_terminal:
            print(CLEAR, end="", file=sys.stderr, flush=True)


def _stages(count: int) -> str:
    return f"{count} stage{'' if count == 1 else 's'}"
