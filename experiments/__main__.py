"""Draw the named figures, or all whose packages are installed, and list them in figures/README.md.

    python -m experiments [regimes] [gating] ...

Each experiment runs in its own process, because JAX fixes its devices when it starts.
"""

import importlib
import os
import subprocess
import sys
import time
from importlib.util import find_spec

from .figure import FIGURES

EXPERIMENTS = (
    "exercises",
    "gradient_flow",
    "regimes",
    "spectra",
    "eigenvalues_mislead",
    "saturation",
    "gating",
    "initialisation",
    "depth_and_width",
    "architectures",
    "clipping_hides",
    "learned_adder",
    "training_dynamics",
    "interventions",
    "preflossing",
    "rescue",
    "parallel_in_time",
    "flip_flop",
    "integrator",
    "bifurcations",
    "known_systems",
)
NEED_DYSTS = ("known_systems",)
PAGE = FIGURES / "README.md"
HEADING = """# Figures

`make figures` writes this page and draws the figures in this order. Wall times are from the last run, on two cores,
including compilation. No dataset is kept here, because the command recreates it in that time;
`python -m experiments.regimes --store PATH` keeps one.

| figure | question | command | seed | wall time |
|---|---|---|---|---|
"""


def row(name: str, seconds: float) -> str:
    """Return an experiment's line of the table."""
    module = importlib.import_module(f"experiments.{name}")
    question = (module.__doc__ or "").split("\n\n")[0].replace("\n", " ").rstrip(":")
    target = f"{name}/" if name == "exercises" else f"{name}.png"
    seed = getattr(module.Config(), "seed", "") if hasattr(module, "Config") else ""
    return f"| [{name}]({target}) | {question} | `python -m experiments.{name}` | {seed} | {seconds:.0f} s |"


def main() -> None:
    """Run the experiments and replace their lines in the table."""
    names = sys.argv[1:] or [name for name in EXPERIMENTS if name not in NEED_DYSTS or find_spec("dysts")]
    if not set(names) <= set(EXPERIMENTS):
        raise SystemExit(f"experiments: got {' '.join(names)}, expected some of {', '.join(EXPERIMENTS)}")
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    rows = {line[3 : line.index("]")]: line for line in lines if line.startswith("| [")}
    for name in names:
        print(f"\n{name}\n", flush=True)
        begun = time.perf_counter()
        # BLAS threads gain nothing on matrices this small, and they wait for each other on a busy machine
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-m", f"experiments.{name}"], check=True, env=environment)
        rows[name] = row(name, time.perf_counter() - begun)
    PAGE.write_text(HEADING + "\n".join(rows[name] for name in EXPERIMENTS if name in rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
