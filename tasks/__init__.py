"""The stages of dvc.yaml: one module, one stage, `run(params, paths)`; files in, files out."""
