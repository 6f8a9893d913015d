"""Stage `train_operational`: the specified network and the arms beside it, on the recorded runs of the training fleets.

Networks learn what the next step asks for; event heads, whether the coming steps bring a call that finds nothing idle. What the
orchestrator uses is chosen on the valid spans: the boosted head above the timers only where it pays. Not here: floor rules
(tune_operational.py), money on the test span (tasks/evaluation).
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from models.checkpoints import save_state
from models.operational import boosting, trunk_head
from models.operational.boosting import Trees, fit_trees
from models.operational.events import FAR, NEAR
from models.operational.forecasters import EXTRA, BoostedPredictor
from models.operational.lstm import LSTMPredictor, LSTMTraining, Settings, Windows
from models.operational.onnx_export import export
from models.operational.trunk_head import fit_head
from models.training import device_of
from simulator.control.features import operational
from simulator.parameters import Section, Seed
from tasks.core.environment import Environment
from tasks.core.files import write_json, write_text_atomic
from tasks.core.records import read_record
from tasks.learning.card import Card, Features, Figure, Normalisation, TrainedOn, versions, write_card
from tasks.learning.checkpoint import Checkpoints, data_fingerprint, fingerprint, peak_memory
from tasks.learning.operational_choice import choose_use
from tasks.learning.operational_data import Amounts, Rows, learned_from, without_extra
from tasks.learning.operational_outputs import (
    LAYER,
    VALIDATION_COLUMNS,
    operational_models,
    operational_reports,
    write_rows,
)
from tasks.world.scenario_outputs import training_folder
from tasks.world.scenario_record import ScenarioList

if TYPE_CHECKING:
    from tasks.core.params import Params
    from tasks.core.paths import Paths

NETWORKS = {"lstm_specified": "asymmetric", "lstm_symmetric": "symmetric", "lstm_quantile": "quantile", "lstm_lagged": "symmetric"}
SPECIFIED = "lstm_specified"
NOT_FOR = (
    "a mean forecast: the loss weighs too little five times as much as too much, so it lies above the mean",
    "apps whose demand was never seen: scales of inputs and demand are those of the app's own train span",
    "a claim about the test span: its figures are of windows of the training fleets",
)


class TrainOperational(Section):
    """The section `train_operational`: how much is learned from."""

    luck_seed: Seed = Field(description="luck on the valid spans")
    seeds: tuple[Seed, ...] = Field(min_length=1, description="training seeds of every network")
    fleets: int = Field(ge=1, le=1000, description="training fleets that are learned from, the first ones")
    windows: int = Field(ge=1000, le=100_000_000, description="windows of one pass over the train span, all fleets together")
    valid_windows: int = Field(ge=500, le=10_000_000, description="windows for early stopping")
    epochs: int = Field(ge=1, le=1000, description="passes at most")
    patience: int = Field(ge=1, le=1000, description="passes without a better validation")
    row_steps: int = Field(ge=1, le=1000, description="steps between the barriers at which pools are collected")
    rows: int = Field(ge=1000, le=100_000_000, description="pools per fleet that the event heads learn from, about")
    trees: int = Field(ge=1, le=10_000, description="trees of each ensemble")
    valid_scenarios: int = Field(ge=1, le=1000, description="scenarios of the tuned ones in which the head's use is chosen")


def run(params: Params, paths: Paths) -> str:
    """Write `data/models/operational/`, its history and its validation results; return the summary line.

    Raises:
        TrainingError: a loss exploded; the last good state stays in .trine/checkpoints.
    """
    settings = params.section("train_operational", TrainOperational)
    fleets_of = read_record(training_folder(paths) / "scenarios.json", ScenarioList).scenarios
    folders = [training_folder(paths) / row.id for row in fleets_of][: settings.fleets]
    data = data_fingerprint(folders)
    train, valid, rows = learned_from(folders, Amounts(settings.windows, settings.valid_windows, settings.row_steps, settings.rows))
    models, device = operational_models(paths), device_of(Environment().device)
    history: list[dict[str, Any]] = []
    scores: dict[tuple[str, int], float] = {}
    predictors: dict[tuple[str, int], LSTMPredictor] = {}
    with Checkpoints(paths, "train_operational", fingerprint(settings.model_dump(mode="json"), data)) as checkpoints:
        for arm, loss in NETWORKS.items():
            for seed in settings.seeds:
                extra = EXTRA if arm == "lstm_lagged" else 0
                own = Settings(loss=loss, epochs=settings.epochs, patience=settings.patience, extra=extra)  # type: ignore[arg-type]
                learned, early = (part if extra else without_extra(part) for part in (train, valid))
                training = LSTMTraining(own, seed, learned, early, arm, device)
                checkpoints.run(f"{arm}-{seed}", training)
                predictors[arm, seed] = LSTMPredictor(training.best, own)
                scores[arm, seed] = float(training.early.score[0])
                history += training.history.rows()
                save_state(models / arm / f"seed-{seed}.pt", predictors[arm, seed].state())
    best_seed = min(settings.seeds, key=lambda seed: scores[SPECIFIED, seed])
    best = predictors[SPECIFIED, best_seed]
    save_state(models / "best_model.pt", best.state())
    export(best, models / "best_model.onnx")
    boosted, heads = _trees(train, rows, settings)
    save_state(models / "boosting" / "seed-1.pt", {f"target_{i}": trees.state() for i, trees in enumerate(boosted.trees)})
    save_state(models / "event_head" / "seed-1.pt", {name: trees.state() for name, trees in zip(("near", "far"), heads, strict=True)})
    _save_trunk_head(models, best, rows)
    choice, tried = choose_use(paths, settings.valid_scenarios, settings.luck_seed)
    write_json(models / "chosen.json", choice)
    reports = operational_reports(paths)
    write_rows(reports / "validation_results.csv", VALIDATION_COLUMNS, tried)
    write_text_atomic(reports / "training_history.json", "[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in history) + "\n]\n")
    card = _card(settings, best, best_seed, scores, tuple(folder.name for folder in folders), data, len(train.window), device.type)
    write_card(models, card)
    passes = sum(row["transitions"] for row in _last(history))
    return f"{len(NETWORKS)} networks x {len(settings.seeds)} seeds, {passes} window passes, {len(rows.x)} pools, {peak_memory()}"


def _last(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last row of every training."""
    found: dict[tuple[str, int], dict[str, Any]] = {(row["arm"], row["seed"]): row for row in history}
    return list(found.values())


def _trees(train: Windows, rows: Rows, settings: TrainOperational) -> tuple[BoostedPredictor, tuple[Trees, Trees]]:
    """The boosted forecast, and the boosted event heads, near and far."""
    shape = replace(boosting.Shape(), trees=settings.trees)
    boosted = BoostedPredictor.fit(train.window, train.target, train.weight, shape, seed=1)
    weight = rows.weight.astype(np.float64)
    near, far = (fit_trees(rows.x, rows.event[:, h].astype(np.float64), weight, "log_loss", shape, seed=1) for h in (NEAR, FAR))
    return boosted, (near, far)


def _save_trunk_head(models: Path, predictor: LSTMPredictor, rows: Rows) -> None:
    """Fit the event head on the trunk of the network, and write it."""
    trunk = np.concatenate([predictor.trunk(rows.window[b : b + 4096]) for b in range(0, len(rows.window), 4096)])
    head = fit_head(np.concatenate([trunk, rows.x], axis=1), rows.event, rows.weight, trunk_head.Settings(), seed=1)
    save_state(models / "event_head_lstm" / "seed-1.pt", dict(head.state_dict()))


def _card(
    settings: TrainOperational, best: LSTMPredictor, best_seed: int, scores: dict[tuple[str, int], float], fleets: tuple[str, ...],
    data: str, windows: int, device: str,
) -> Card:  # fmt: skip
    """The card of the specified network."""
    count = sum(p.numel() for p in best.network.parameters())
    figures = [
        Figure(name=f"validation loss, {arm}", value=score, low=None, high=None, unit="scaled", measured_on="last fifth of the train spans")
        for (arm, seed), score in sorted(scores.items())
        if seed == best_seed
    ]
    return Card(
        layer=LAYER,
        arm=SPECIFIED,
        sizes={"steps": 12, "inputs": 5, "outputs": 3},
        parameters=count,
        features=Features(name=LAYER, version=operational.VERSION),
        normalisation=Normalisation(kind="online min-max per app, exponential moving, initialised on the train span of the scenario"),
        trained_on=TrainedOn(fingerprint=data, scenarios=fleets, span="train"),
        settings={name: value for name, value in asdict(best.settings).items() if value is not None},
        versions=versions(),
        seeds=settings.seeds,
        best_seed=best_seed,
        budget={"windows": windows, "epochs": settings.epochs},
        figures=tuple(figures),
        not_for=NOT_FOR,
        device=device,
    )
