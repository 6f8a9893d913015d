"""Simple policies and forecasts that every learner has to beat. Belongs here: rules without training. Does not: learners."""
