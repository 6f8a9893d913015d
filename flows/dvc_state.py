"""What DVC knows of a project, as JSON: `python -m flows.dvc_state ROOT`. Not here: what follows from it (graph.py, look.py).

One process of DVC answers what `dvc dag` and `dvc status` would, because loading it and its files takes most of the time of both. The
edges come from `Repo.index.graph` (objects) and not from `dvc dag --dot`, which would need a parser.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def read(root: str) -> dict[str, Any]:
    """Return `always` (stage -> whether it always runs), `edges` (pairs of a stage and one that it needs) and `status` (reasons by stage).

    Raises:
        DvcException: DVC cannot read the project.
    """
    from dvc.repo import Repo, lock_repo

    with Repo(root, _wait_for_lock=True) as repo, lock_repo(repo):
        # Names, not `addressing`: that one is relative to the current folder. Files under `dvc add` have none and need no run.
        always = {str(stage.name): bool(stage.always_changed) for stage in repo.index.graph.nodes if getattr(stage, "name", None)}
        named = [(getattr(stage, "name", None), getattr(need, "name", None)) for stage, need in repo.index.graph.edges]
        edges = [(stage, need) for stage, need in named if stage and need]  # DVC's edges run from a stage to what it needs
        return {"always": always, "edges": edges, "status": repo.status()}


def main(argv: list[str]) -> int:
    """Print the answer; where DVC refuses, its words, and return 1."""
    from dvc.exceptions import DvcException

    try:
        print(json.dumps(read(argv[0])))
    except DvcException as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
