"""One table of arms per group. A stage imports the table of its own group only."""
