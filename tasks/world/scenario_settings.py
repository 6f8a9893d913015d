"""The section `scenario` of params.yaml. Not here: building the worlds (scenario.py)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from simulator.parameters import Family, Parts, Section, Seed

FOUND, BY_SHARE = 0, (0, 0, 0)  # what `days: found` and `split_steps: null` are read as; tasks/world/scenario_span.py fills them in
Step = Annotated[int, Field(ge=0, le=2_108_160)]  # of 366 days


class TrainingFleets(Section):
    """Worlds of their own that learners train on: their train spans only, never judged."""

    seeds: tuple[Seed, ...] = Field(description="of twins and of everything sampled; none of them is judged")
    families: tuple[str, ...] = Field(description="of the families of the judged worlds")


class ScenarioSettings(Section):
    """Which worlds are built: seeds x families, on what calls, how long, with which carbon."""

    calls: Literal["staged", "twin"] = Field(description="staged: the seed equal to `seed` replays the staged `source`; twin: none does")
    source: Literal["azure2021"] = Field(description="of the staged calls")
    cells: Literal["google2019"] = Field(description="source of the zones' utilisation")
    seeds: tuple[Seed, ...] = Field(min_length=1, description="of twins and of everything sampled, each once")
    families: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], Family] = Field(
        min_length=1, description="changes of the world by name"
    )
    days: int = Field(ge=0, le=366, description="length of a world; `found` (0): the days of the window that the trace has")
    apps: int = Field(ge=1, le=100_000, description="apps of a generated twin")
    rate: float = Field(gt=0, le=1000, description="factor on the call rate of a generated twin")
    split_steps: tuple[Step, Step, Step] = Field(
        description="where train, valid and test end; the rest is run-out; null (0, 0, 0): by share"
    )
    split: Parts = Field(description="shares of train, valid and test where split_steps is null")
    carbon_month: int = Field(ge=1, le=12, description="month of the carried carbon profile")
    carbon_hourly: tuple[str, ...] = Field(description="files of hourly carbon from world.carbon.start on; they replace the profile")
    steady_apps: int = Field(ge=0, le=100_000, description="most called apps that use the same memory and payload class in every seed")
    training: TrainingFleets = Field(description="fleets for learners beside the judged ones")

    @field_validator("days", "split_steps", mode="before")
    @classmethod
    def left_to_the_trace(cls, value: Any) -> Any:
        """Read the words for "as the trace is"."""
        return FOUND if value == "found" else BY_SHARE if value is None else value

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
        if value != BY_SHARE and not 0 < value[0] < value[1] < value[2]:
            raise ValueError("the ends must rise from above 0")
        return value

    @field_validator("training")
    @classmethod
    def apart(cls, value: TrainingFleets, info: ValidationInfo) -> TrainingFleets:
        """Training fleets have seeds of their own and known families: a judged world that was trained on would flatter its learner."""
        seeds, families = info.data.get("seeds", ()), info.data.get("families", {})
        if set(value.seeds) & set(seeds) or len(set(value.seeds)) != len(value.seeds) or min(value.seeds, default=0) < 0:
            raise ValueError("seeds must differ from each other and from scenario.seeds, and be 0 or more")
        if unknown := sorted(set(value.families) - set(families)):
            raise ValueError(f"no such family: {', '.join(unknown)}")
        return value
