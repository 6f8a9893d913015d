"""The names of the trace sources. Not here: how their files look (tasks/data/sources), where they come from (params.yaml)."""

from __future__ import annotations

SOURCES = ("azure2021", "azure2019", "google2019", "google2011")
