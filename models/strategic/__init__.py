"""Learners of the strategic layer: which cloud an app runs in."""
