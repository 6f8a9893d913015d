"""Stage `eda`: one small JSON per question of the analysis. Not here: plotting (tasks/report), forecasts (tasks/eda/forecasts.py).

A question that the data cannot answer (its source is off) writes {}: the section that shows it is then left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.database import connect
from tasks.core.drafts import folder_draft
from tasks.core.files import write_json
from tasks.core.records import read_record, write_record
from tasks.core.sources import SOURCES
from tasks.data.features_outputs import features_folder
from tasks.data.features_record import FeaturesSummary
from tasks.data.split import with_found_days
from tasks.data.verdict import require_success
from tasks.eda.calls import call_questions
from tasks.eda.cells import cell_questions, jobs_2011
from tasks.eda.forecasts import forecasts
from tasks.eda.quality import source_rows
from tasks.eda.records import QUESTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.params import Params
    from tasks.core.paths import Paths

DIGITS = 5  # significant digits of a float in the files; counts stay exact


def eda_folder(paths: Paths) -> Path:
    """One JSON per question of the exploratory analysis."""
    return paths.reports / "eda"


def run(params: Params, paths: Paths) -> str:
    """Answer every question and write one file each; return the summary line.

    Raises:
        GateError: a source has no successful verdict of what is staged now.
    """
    verdicts = {source: require_success(paths, source) for source in SOURCES}
    features = read_record(features_folder(paths) / "features.json", FeaturesSummary)
    params = with_found_days(params, paths, features.source)
    answers: dict[str, Any] = {}
    with connect(paths) as con:
        answers |= call_questions(con, params, paths, features)
        answers |= cell_questions(con, params, paths)
        answers["google2011"] = jobs_2011(con, paths)
        answers["forecasts"] = forecasts(con, params, paths, features)
        answers["quality"] = source_rows(con, paths, verdicts)
    with folder_draft(eda_folder(paths)) as draft:
        for name, answer in answers.items():
            file = draft / f"{name}.json"
            if answer:
                write_record(file, QUESTIONS[name], rounded(answer))
            else:
                write_json(file, {})
    answered = sum(1 for a in answers.values() if a)
    size = sum(f.stat().st_size for f in eda_folder(paths).iterdir())
    return f"{answered} of {len(answers)} questions answered, {size:,} bytes"


def rounded(value: Any) -> Any:
    """Return `value` with every float cut to DIGITS significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return value
