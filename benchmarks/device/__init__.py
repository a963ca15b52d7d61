"""Is an accelerator's answer right, and how fast is it? A script for a machine that is at hand for a few minutes.

    python -m benchmarks.device [--seconds 400] [--only 'spectrum*'] [--wheels FOLDER] [--out FOLDER] [--write]
    python -m benchmarks.device --rehearse

It needs only JAX, NumPy, SciPy, optax and jaxtyping. Rows that need more (PyTorch; zarr and xarray for sweeps) say so
and fail alone. `--wheels` unpacks the wheels in a folder for this run, for a machine that cannot install packages.

    checks.py        every measurement on the device against the same on the host's CPU
    points.py        fixed points, cycles and branches on both
    speed.py         times of ours on the device and on the CPU
    peers.py         the loops that users of PyTorch and JAX write, on the same device
    sweep_rows.py    a sweep: its speed, the gap between its chunks, and whether a kill changes a bit
    rows.py          all rows, the most important ones first
    driver.py        runs rows in processes of their own, so that a crash or a hang costs one row
    worker.py        what such a process does
    report.py        the table and the JSON

Each row is printed and written to `device.txt` and `device.json` as soon as it is done. `--write` writes the table to
docs/benchmarks.md too. `--rehearse` runs every row at a tiny size on whatever devices there are.
"""
