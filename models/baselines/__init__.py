"""Baselines that need no learning. Importing this package loads none of them."""
