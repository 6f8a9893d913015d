"""Names of raw files as messages show them."""

from __future__ import annotations

from tasks.data.sources import azure2019, azure2021, google2011, google2019


def test_patterns_are_shown_as_a_shell_writes_them() -> None:
    shown = {kind.name: kind.names for source in (azure2019, azure2021, google2011, google2019) for kind in source.KINDS}
    assert shown["invocations"] == "AzureFunctionsInvocationTrace*.{csv,txt}[.gz]"
    assert shown["job_events"] == "job_events/part-*.csv[.gz]"
    assert shown["usage_json"] == "instance_usage*.json[l][.gz]"
    assert not any(sign in name for name in shown.values() for sign in "(?)|\\")
