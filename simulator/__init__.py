"""The world: random numbers, the trace twin and (with the evaluation) the event kernel."""
