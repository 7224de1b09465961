"""`python -m glirel_transformers.cli`, which `accelerate launch -m` can start."""

from . import app

app(prog_name="glirel")
