"""Lines with a field too many or too few in azure2019 and google2011: the same fate in the fast and in the tolerant reader.

Not here: the same of azure2021 (test_ingest.py) and google2019 (test_google2019_rejects.py).
"""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tasks.core import params as params_module
from tasks.core.files import read_json
from tasks.core.paths import Paths
from tasks.data import ingest, scan
from tasks.data.ingest_outputs import ingest_report
from tasks.data.sources.azure2019 import DURATION_HEADER, MEMORY_HEADER

ROOT = Path(__file__).resolve().parents[2]
OWNER, APP, FUNCTION = "a" * 64, "b" * 64, "c" * 64
# source, name of the file, header, a good line
FILES: dict[str, tuple[str, str, str | None, str]] = {
    "counts": (
        "azure2019",
        "invocations_per_function_md.anon.d01.csv",
        "HashOwner,HashApp,HashFunction,Trigger,1,2,3",
        f"{OWNER},{APP},{FUNCTION},http,0,1,2",
    ),
    "durations": (
        "azure2019",
        "function_durations_percentiles.anon.d01.csv",
        ",".join(DURATION_HEADER),
        f"{OWNER},{APP},{FUNCTION}" + ",1" * 11,
    ),
    "memory": ("azure2019", "app_memory_percentiles.anon.d01.csv", ",".join(MEMORY_HEADER), f"{OWNER},{APP}" + ",1" * 10),
    "machine events": ("google2011", "machine_events/part-00000-of-00001.csv", None, "0,5,0,abc,0.5,"),
    "job events": ("google2011", "job_events/part-00000-of-00001.csv", None, "0,,5,0,u,1,n,"),
    "task usage": ("google2011", "task_usage/part-00000-of-00001.csv", None, "0,1,5,0,7" + ",0.1" * 13 + ",0,"),
}


def staged(root: Path, kind: str, lines: list[str], is_gzip: bool = False) -> dict[str, Any]:
    source, name, header, _ = FILES[kind]
    params = params_module.load(ROOT / "params.yaml").changed({f"traces.{source}.from": "inbox"})
    paths = Paths(root)
    file = paths.inbox(source) / (name + ".gz" * is_gzip)
    file.parent.mkdir(parents=True)
    data = "".join(f"{line}\n" for line in ([header] if header else []) + lines).encode()
    file.write_bytes(gzip.compress(data) if is_gzip else data)
    scan.run(params, paths, source)
    ingest.run(params, paths, source)
    found: dict[str, Any] = read_json(ingest_report(paths, source))
    assert found["rows_in"] == len(lines) == found["rows_staged"] + found["rows_rejected"]
    return found


@pytest.mark.parametrize("beside", [[], ["broken"]], ids=["alone", "beside a broken line"])
@pytest.mark.parametrize("end", [",", ",,", ',""', ",x", "less"], ids=["comma", "two commas", "empty quotes", "field", "too few"])
@pytest.mark.parametrize("kind", FILES)
def test_a_line_with_a_field_too_many_or_too_few_is_rejected(tmp_path: Path, kind: str, end: str, beside: list[str]) -> None:
    good = FILES[kind][3]
    bad = good.rsplit(",", 1)[0] if end == "less" else good + end
    for place in range(3):
        lines = [good, good]
        lines.insert(place, bad)
        found = staged(tmp_path / str(place), kind, [*lines, *beside])
        assert found["rejects_by_reason"] == Counter(wrong_column_count=1 + len(beside))


@pytest.mark.parametrize("kind", FILES)
def test_good_lines_are_kept_also_packed_and_beside_a_comma_too_many(tmp_path: Path, kind: str) -> None:
    good = FILES[kind][3]
    assert staged(tmp_path / "plain", kind, [good] * 3)["rejects_by_reason"] == {}
    assert staged(tmp_path / "packed", kind, [good] * 3, is_gzip=True)["rejects_by_reason"] == {}
    assert staged(tmp_path / "extra", kind, [good, f"{good},"], is_gzip=True)["rejects_by_reason"] == {"wrong_column_count": 1}
