"""Environments of gymnasium on the world; importing this package registers them. Not here: learners (models/).

| id | decides | every | one app alone | all apps of fleets |
|---|---|---|---|---|
| `trine/Strategic-v0` | the cloud | strategic interval | `gymnasium.make` | `gymnasium.make_vec` |
| `trine/Tactical-v0` | the placement in a given cloud | tactical interval | same | same |
| `trine/TacticalCandidates-v0` | the same, every placement described | tactical interval | same | same |
| `trine/Autoscale-v0` | warm floors and memory | step | same | same |

import simulator.envs
env = gymnasium.make("trine/Tactical-v0", scenario="data/scenario/calm-1", intervals=96)
envs = gymnasium.make_vec("trine/Tactical-v0", scenario="data/scenario/calm-1", vectorization_mode="vector_entry_point")
"""

from gymnasium.envs.registration import register

for _name, _module in (
    ("Strategic", "strategic"),
    ("Tactical", "tactical"),
    ("TacticalCandidates", "tactical"),
    ("Autoscale", "autoscale"),
):
    register(
        id=f"trine/{_name}-v0",
        entry_point=f"simulator.envs.{_module}:{_name}Env",
        vector_entry_point=f"simulator.envs.{_module}:{_name}VectorEnv",
    )
