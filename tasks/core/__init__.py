"""What all stages share: parameters, paths, files, databases. Not here: any stage."""
