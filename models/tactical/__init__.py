"""Learners of the tactical layer: where inside a cloud an app runs."""
