"""What is known about the places: tables of data/reference as arrays, prices, power, distributions. Not here: calls."""
