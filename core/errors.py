"""Errors that a user can act on. Belongs here: the exception hierarchy. Does not: anything that catches them."""

from __future__ import annotations

from collections.abc import Callable


class TrineError(Exception):
    """A fault that the user can fix: the message says what happened, where, and how to fix it.

    Args:
        what: what is wrong, in one clause.
        where: the file (and line), parameter or stage concerned.
        how: the remedy.
    """

    def __init__(self, what: str, *, where: str, how: str) -> None:
        super().__init__(f"{what}\n  where: {where}\n  fix: {how}")
        self.what, self.where, self.how = what, where, how

    def __reduce__(self) -> tuple[Callable[..., TrineError], tuple[type[TrineError], str, str, str]]:
        """Errors come back whole from other processes."""
        return _again, (type(self), self.what, self.where, self.how)


def _again(kind: type[TrineError], what: str, where: str, how: str) -> TrineError:
    return kind(what, where=where, how=how)


class ParameterError(TrineError):
    """A value in params.yaml or an option on the command line is not usable."""


class RawDataError(TrineError):
    """A raw trace file as a whole cannot be read (single bad rows are rejected and counted instead)."""


class LostRowsError(TrineError):
    """Rows read differ from rows staged plus rows rejected: a bug of ours, never passed over in silence."""


class GateError(TrineError):
    """The validation verdict of an input is missing or not a success."""


class SpaceError(TrineError):
    """The disk, a quota or a file-size limit stopped a write; what was staged before is untouched."""


class ScenarioError(TrineError):
    """The folder of a scenario is missing, damaged, or of another format."""


class DamagedFileError(TrineError, ValueError):
    """A file that a stage wrote is not what the stage wrote."""


class TrainingError(TrineError):
    """A training went wrong in a way that more of it does not cure, e.g. its loss is not a number any more."""


class CheckpointError(TrineError):
    """The weights or the card of a model are missing, damaged, or not of the features, sizes or layer that are asked for."""
