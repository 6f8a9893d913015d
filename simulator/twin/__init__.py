"""Generators of traces with the published shape: the Azure 2021 calls, the Google cells. Not here: reading traces (tasks/data)."""
