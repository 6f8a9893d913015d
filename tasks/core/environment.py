"""The environment variables `TRINE_*`: where things are, how much of the machine to use. Not here: what changes a result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(BaseSettings):
    """What `TRINE_*` says, with a default for each."""

    model_config = SettingsConfigDict(env_prefix="TRINE_", frozen=True)

    sample_dir: Path = Field(default=Path("../shared/data"), description="folder of the real slices that profile `sample` reads")
    memory_limit: str = Field(default="1GB", description="DuckDB's memory limit; beyond it, it spills to temp_dir")
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="threads of DuckDB and Polars")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where networks train; auto: a CUDA device if there is one")
    checkpoint_s: float = Field(default=10, ge=0, description="least time between two states of a training on disk")
    temp_dir: Path | None = Field(default=None, description="spill folder; default: .trine/tmp in the working tree")
