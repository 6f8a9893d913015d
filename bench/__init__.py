"""Comparisons of speed and memory with peers: `python -m bench.<name>`, run by hand. Not here: anything the pipeline uses."""
