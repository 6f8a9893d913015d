"""The section `eda` of params.yaml. Not here: the answers (eda.py and its parts)."""

from __future__ import annotations

from pydantic import Field

from simulator.parameters import Section


class EdaSettings(Section):
    """Windows of the first forecasting table."""

    moving_average_min: int = Field(ge=1, le=20_160, description="window of the moving average, minutes")
    season_h: int = Field(ge=1, le=8_784, description="period of the seasonal forecast, hours")
