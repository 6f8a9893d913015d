"""The section `scenario` of params.yaml. Not here: building the worlds (scenario.py)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from simulator.parameters import Family, Section, Seed


class ScenarioSettings(Section):
    """Which worlds are built: seeds x families, on what calls, how long, with which carbon."""

    calls: Literal["staged", "twin"] = Field(description="staged: the seed equal to `seed` replays the staged `source`; twin: none does")
    source: Literal["azure2021"] = Field(description="of the staged calls")
    cells: Literal["google2019"] = Field(description="source of the zones' utilisation")
    seeds: tuple[Seed, ...] = Field(min_length=1, description="of twins and of everything sampled, each once")
    families: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], Family] = Field(
        min_length=1, description="changes of the world by name"
    )
    days: int = Field(ge=1, le=366, description="length of a scenario")
    apps: int = Field(ge=1, le=100_000, description="apps of a generated twin")
    rate: float = Field(gt=0, le=1000, description="factor on the call rate of a generated twin")
    split_steps: tuple[int, int, int] = Field(description="where train, valid and test end; the rest is run-out")
    carbon_month: int = Field(ge=1, le=12, description="month of the carried carbon profile")
    carbon_hourly: tuple[str, ...] = Field(description="files of hourly carbon from world.carbon.start on; they replace the profile")
    steady_apps: int = Field(ge=0, le=100_000, description="most called apps that use the same memory and payload class in every seed")

    @field_validator("seeds")
    @classmethod
    def distinct(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        """Every seed once, none negative."""
        if len(set(value)) != len(value) or min(value) < 0:
            raise ValueError("seeds must differ and be 0 or more")
        return value

    @field_validator("split_steps")
    @classmethod
    def rising(cls, value: tuple[int, int, int]) -> tuple[int, int, int]:
        """Each part has at least one step."""
        if not 0 < value[0] < value[1] < value[2]:
            raise ValueError("the ends must rise from above 0")
        return value
