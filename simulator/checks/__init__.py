"""Independent calculations that the world is held against. Never part of it."""
