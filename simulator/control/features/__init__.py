"""Turns a view into what a learner observes. Not here: learners, scaling."""
