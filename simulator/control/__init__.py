"""Where decisions meet the world: views, decisions, the loop, the judge, rewards. Not here: policies (models/)."""
