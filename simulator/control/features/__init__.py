"""From a view to what a learner observes. Not here: learners, scaling."""
