"""One module per trace source, loaded by name. Each says how its raw files look and how they become staged tables."""
