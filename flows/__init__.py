"""When and where the pipeline runs. The only package that imports prefect."""
