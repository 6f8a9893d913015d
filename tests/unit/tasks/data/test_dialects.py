"""Tables of calls in other dialects are recognised and answered with the exact mapping. Not here: importing them (test_import_table)."""

from __future__ import annotations

import pytest

from core.errors import ParameterError
from tasks.data.dialects import Dialect, command, is_canonical, parse, recognised

IDS = ("a" * 64, "b" * 64)
KNOWN = {
    "unix seconds": (
        "app,func,end_timestamp,duration",
        [*IDS, "1767571200.5", "0.25"],
        "app=app,func=func,end=end_timestamp:s,duration=duration:s",
    ),
    "unix milliseconds": (
        "app,func,end_timestamp,duration",
        [*IDS, "1767571200500", "250"],
        "app=app,func=func,end=end_timestamp:ms,duration=duration:ms",
    ),
    "unix microseconds": (
        "app,func,end,duration_us",
        [*IDS, "1767571200500000", "250"],
        "app=app,func=func,end=end:us,duration=duration_us:us",
    ),
    "unix nanoseconds": ("app,func,end,took", [*IDS, "1767571200500000000", "0.25"], "app=app,func=func,end=end:ns,duration=took:s"),
    "readable ids": (
        "app,func,end_timestamp,duration",
        ["shop", "pay", "10.5", "0.25"],
        "app=app,func=func,end=end_timestamp:s,duration=duration:s",
    ),
    "renamed": (
        "Service,Handler,Started At,Elapsed_ms",
        ["shop", "pay", "10.5", "250"],
        "app=Service,func=Handler,start=Started At:s,duration=Elapsed_ms:ms",
    ),
    "words for times": (
        "service,timestamp,latency",
        ["shop", "2026-01-05T10:00:00Z", "0.25"],
        "app=service,start=timestamp:iso,duration=latency:s",
    ),
    "no app": ("time,functionName,durationMs", ["10.5", "pay", "250"], "app=functionName,start=time:s,duration=durationMs:ms"),
    "two times": ("app,started_at,ended_at", ["shop", "10.5", "11.5"], "app=app,end=ended_at:s,start=started_at:s"),
    "objects": ("call.service,call.ts,call.took", ["shop", "1767571200", "0.5"], "app=call.service,start=call.ts:s,duration=call.took:s"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_dialect_is_recognised_and_its_mapping_reads_back(name: str) -> None:
    header, row, text = KNOWN[name]
    found = recognised(header.split(","), [row] * 3)
    assert found is not None
    assert found.text == text
    assert parse(text) == found
    assert not is_canonical(found, header.split(","), [row] * 3)


def test_the_canonical_table_needs_no_import_and_others_are_no_calls() -> None:
    header = ["app", "func", "end_timestamp", "duration"]
    for row in ([*IDS, "10.5", "0.25"], [*IDS, "10.5", "900"]):
        found = recognised(header, [row])
        assert found is not None
        assert is_canonical(found, header, [row])
    assert recognised(["machine", "cpu"], [["a", "1"]]) is None
    assert recognised(["app", "func"], [["a", "b"]]) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not say enough"),
        ("app=a", "does not say enough"),
        ("app=a,start=b", "does not say enough"),
        ("app=a,duration=b", "does not say enough"),
        ("ap=a,start=b,end=c", "did you mean 'app'"),
        ("app=a,app=b,start=c,end=d", "each role once"),
        ("app=a,start=,end=d", "is not role=column"),
        ("app=a,start=b:hrs,duration=c", "'hrs' of 'start=b:hrs' is no unit"),
        ("app=a,start=b,duration=c:iso", "is no unit"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(text: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        parse(text)


def test_names_with_spaces_commas_and_colons_reach_the_shell_whole() -> None:
    odd = Dialect({"app": "Service, Name", "start": "at:time", "duration": "took"}, {"start": "ms", "duration": "s"})
    assert parse(odd.text) == odd
    assert (
        command("my file.csv", odd, "out")
        == "trine import table 'my file.csv' --map '\"app=Service, Name\",start=at:time:ms,duration=took:s' --out out"
    )
