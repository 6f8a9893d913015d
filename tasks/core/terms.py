"""Terms that the tables of several stages share. Not here: how an app gets its class (tasks/core/app_classes.py), words of the page."""

from __future__ import annotations

CLASSES = ("rare", "low", "mid", "high")  # of apps, by calls per 14 days; limits: section `app_classes` of params.yaml
SMALL_GAP = 0.01  # share of home: no ratio is formed of a smaller gap
