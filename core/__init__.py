"""The ground floor: error types and units. Not here: anything that knows the world, a file or a stage."""
