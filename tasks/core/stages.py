"""The table of stages, and what each declares in dvc.yaml. Not here: the edges (dvc.yaml), code deps (deps.py), settings, outputs.

No stage imports this module, so that a new stage reruns no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import ParameterError
from tasks.core.sources import SOURCES


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml.

    Args:
        module: has `run(params, paths)`, with the item as third argument where there are items.
        items: of `foreach`.
        loads: modules that it loads by name: `${item}` means the item, `*` at the end for every module of a package.
    """

    module: str
    items: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()


STAGES: Mapping[str, Stage] = {
    "scan": Stage("tasks.data.scan", SOURCES, ("tasks.data.sources.${item}",)),
    "ingest": Stage("tasks.data.ingest", SOURCES, ("tasks.data.sources.${item}",)),
    "validate": Stage("tasks.data.validate", SOURCES),
    "twin_fit": Stage("tasks.data.twin_fit"),
    "features": Stage("tasks.data.features"),
    "eda": Stage("tasks.eda.eda"),
    "scenario": Stage("tasks.world.scenario"),
    "learn_planner": Stage("tasks.learning.learn_planner"),
    "train_rush_head": Stage("tasks.learning.train_rush_head"),
    "tune_baselines": Stage("tasks.learning.tune_baselines"),
    "tune_tactical": Stage("tasks.learning.tune_tactical"),
    "tune_strategic": Stage("tasks.learning.tune_strategic"),
    "train_tactical": Stage("tasks.learning.train_tactical"),
    "train_strategic": Stage("tasks.learning.train_strategic"),
    "calibrate": Stage("tasks.world.calibrate"),
    "tune_operational": Stage("tasks.learning.tune_operational"),
    "train_operational": Stage("tasks.learning.train_operational"),
    "evaluate_operational": Stage("tasks.evaluation.evaluate_operational"),
    "drill_operational": Stage("tasks.evaluation.drill_operational"),
    "train_candidates": Stage("tasks.learning.train_candidates"),
    "train_candidates_ppo": Stage("tasks.learning.train_candidates_ppo"),
    "finetune": Stage("tasks.learning.finetune"),
    "evaluate_baselines": Stage("tasks.evaluation.evaluate_baselines"),
    "evaluate_bound": Stage("tasks.evaluation.evaluate_bound"),
    "evaluate_learned": Stage("tasks.evaluation.evaluate_learned"),
    "evaluate_ablation": Stage("tasks.evaluation.evaluate_ablation"),
    "evaluate_newcomers": Stage("tasks.evaluation.evaluate_newcomers"),
    "compare": Stage("tasks.evaluation.compare"),
    "report": Stage("tasks.report.report", loads=("tasks.report.sections.*",)),
}


def read_pipeline(root: Path) -> dict[str, Any]:
    """Return the stages of dvc.yaml as it is written.

    Raises:
        ParameterError: the file is missing or is not YAML.
    """
    file = root / "dvc.yaml"
    try:
        found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["stages"]
    except FileNotFoundError:
        raise ParameterError("dvc.yaml is missing", where=str(file), how="restore it: git checkout dvc.yaml") from None
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ParameterError(f"no stages can be read: {error}", where=str(file), how="fix the line named in the message") from None
    return found


def declared_parameters(root: Path, stage: str, item: str | None = None) -> tuple[str, ...]:
    """Return what `params:` of a stage in dvc.yaml names; pins of packages (a file and its keys) are left out.

    Raises:
        ParameterError: dvc.yaml cannot be read or has no such stage.
    """
    pipeline = read_pipeline(root)
    if stage not in pipeline:
        raise ParameterError(f"dvc.yaml has no stage '{stage}'", where=str(root / "dvc.yaml"), how="add it, see docs/contributing.md")
    body = pipeline[stage]
    listed = body.get("do", body).get("params") or []
    return tuple(name.replace("${item}", item or "") for name in listed if isinstance(name, str))


def data_edges(root: Path, stage: str, item: str | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files and folders of other stages that a stage reads, and those that it writes, as dvc.yaml names them."""
    pipeline = read_pipeline(root)
    written = [out for _, body, one in _each(pipeline) for out in _outputs(body, one)]
    body = pipeline[stage].get("do", pipeline[stage])
    read = [str(dep).replace("${item}", item or "") for dep in body.get("deps") or []]
    from_stages = [dep for dep in read if any(dep == out or dep.startswith(f"{out}/") for out in written)]
    return tuple(from_stages), tuple(_outputs(body, item))


def writer_of(path: Path, root: Path) -> str:
    """Return the stage that writes a file, with its item (`ingest@azure2021`); empty if none does or dvc.yaml cannot be read."""
    try:
        pipeline, name = read_pipeline(root), (root / path).relative_to(root).as_posix()
    except (ParameterError, ValueError):
        return ""
    for stage, body, item in _each(pipeline):
        if any(name == out or name.startswith(f"{out}/") for out in _outputs(body, item)):
            return f"{stage}@{item}" if item else stage
    return ""


def _each(pipeline: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Name, body and item of every stage, one per item of a `foreach`."""
    for name, entry in pipeline.items():
        for item in entry.get("foreach", [None]):
            yield name, entry.get("do", entry), item


def _outputs(body: Mapping[str, Any], item: str | None) -> list[str]:
    """What a stage writes; an entry with options is a mapping of one key."""
    listed = [*(body.get("outs") or []), *(body.get("metrics") or []), *(body.get("plots") or [])]
    return [str(next(iter(out)) if isinstance(out, dict) else out).replace("${item}", item or "") for out in listed]
