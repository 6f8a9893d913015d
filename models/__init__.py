"""Learners, policies and baselines: pure code on arrays, no files, no workflow."""
