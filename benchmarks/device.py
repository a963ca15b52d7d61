"""Compare every measurement on an accelerator with the same one on the host's CPU: are the numbers right, and how fast?

    python -m benchmarks.device [--rehearse] [--seconds 400] [--workers 8] [--out FOLDER]

It prints each row when it is finished and writes `device.txt` and `device.json`. Rows run in separate processes, the
checks several at a time and the timings one after the other, so that a crash affects no other process. `ratio` is the
CPU's time over the device's; the CPU uses all its cores. `--rehearse` runs every row at a tiny size on whatever devices
there are.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several processes share the device's memory
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import jax.numpy as jnp
import numpy as np

import rnn_dynamics as rd

CELLS = ("elman", "gru", "lstm")
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}


def problem(cell: str, n: int, T: int, gain: float = 0.9, seed: int = 0) -> Any:
    """Return the step, parameters, state and inputs of a net that is not chaotic, so that both trajectories agree."""
    found = rd.cells.CELLS[cell]
    for_params, for_inputs = jax.random.split(jax.random.key(seed))
    params = found.init(for_params, inputs=1, hidden=n, gain=gain)
    return found.step, params, found.initial_state(params), jax.random.normal(for_inputs, (T, 1))


def _loss(states: Any) -> jax.Array:
    return jnp.stack([jnp.sum(leaf[-1] ** 2) for leaf in jax.tree.leaves(states)]).sum()


def _loss_t(state: Any) -> jax.Array:
    return jnp.stack([jnp.sum(leaf**2) for leaf in jax.tree.leaves(state)]).sum()


def _flow(*net: Any) -> Any:
    found = rd.gradient_flow(*net)
    return found.log_norm, found.log_frobenius, found.log_bound


def _spectrum(*net: Any) -> Any:
    found = rd.lyapunov_spectrum(*net)
    return found.exponents, found.history


def _covariant(*net: Any) -> Any:
    found = rd.covariant_vectors(*net, frame_burn_in=10, tail=10, k=3)
    return jnp.abs(found.vectors), found.rates


def _product(*net: Any) -> Any:
    found = rd.jacobian_product(*net)
    return found.log_norm(), found.matrix


MEASUREMENTS: dict[str, Callable[..., Any]] = {
    "unroll": rd.unroll,
    "step_jacobians": rd.step_jacobians,
    "jacobian_product": _product,
    "gradient_flow": _flow,
    "lyapunov_spectrum": _spectrum,
    "covariant_vectors": _covariant,
    "log_singular_values": rd.log_singular_values,
    "state_gradients": partial(rd.state_gradients, loss=_loss),
    "gradient_contributions": lambda step, p, h, xs: rd.gradient_contributions(step, p, h, xs, _loss).norms,
    "parameter_gradient": partial(rd.parameter_gradient, loss=_loss),
    "rtrl": partial(rd.rtrl, loss_t=_loss_t, wrt=("b",)),
    "jacobian_eigenvalues": lambda *net: jnp.abs(rd.eigen.jacobian_eigenvalues(*net)[:, 0]),
}
EIGEN = (
    "eigenvalues", "spectral_radius", "spectral_abscissa", "spectral_norm", "numerical_radius",
    "departure_from_normality", "eigenvector_condition", "defective", "kreiss_constant", "transient_growth",
)  # fmt: skip


def on(device: jax.Device, function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a call with all its arrays on this device."""
    with jax.default_device(device):
        placed = [arg if callable(arg) else jax.device_put(arg, device) for arg in args]
        return jax.block_until_ready(function(*placed))


def difference(there: Any, here: Any) -> float:
    """Return the largest difference, relative to each array's largest number; inf if non-finite entries differ."""
    worst = 0.0
    for one, other in zip(jax.tree.leaves(there), jax.tree.leaves(here), strict=True):
        a, b = (np.asarray(x, np.complex128 if np.iscomplexobj(x) else np.float64) for x in (one, other))
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return float("inf")
        finite = np.isfinite(b)
        scale = max(float(np.abs(b[finite]).max(initial=0)), 1e-3)
        worst = max(worst, float(np.abs(a[finite] - b[finite]).max(initial=0)) / scale)
    return worst


def check(function: Callable[..., Any], dtype: str, make: Callable[[], Any]) -> dict[str, Any]:
    """Compare the device with the CPU, and time the first call on each."""
    device, cpu = jax.devices()[0], jax.devices("cpu")[0]
    with jax.enable_x64(dtype == "float64"):
        with jax.default_device(cpu):
            args = make()
        start = time.perf_counter()
        there = on(device, function, *args)
        first = time.perf_counter() - start
        start = time.perf_counter()
        here = on(cpu, function, *args)
        found = difference(there, here)
        fine = found <= TOLERANCE[dtype]
        return {"difference": found, "fine": fine, "first_call_s": first, "on_cpu_s": time.perf_counter() - start}


def checks(small: bool) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield one check for each measurement, cell and precision."""
    n, T = (4, 30) if small else (16, 60)
    for dtype in ("float32", "float64"):
        for name, measure in MEASUREMENTS.items():
            for cell in CELLS[:1] if small else CELLS:
                if name == "rtrl" and cell != "elman":
                    continue  # its cost grows with the number of parameters
                yield f"{name} {cell} {dtype}", partial(check, measure, dtype, partial(problem, cell, n, T))
        for name in EIGEN:
            yield f"eigen.{name} {dtype}", partial(check, getattr(rd.eigen, name), dtype, lambda: matrix(n))
        yield f"one training step {dtype}", partial(check, training(n, T, 1), dtype, lambda: (jax.random.key(1),))


def matrix(n: int) -> tuple[jax.Array]:
    """Return a random matrix with eigenvalues inside and outside the unit circle."""
    return (1.2 * jax.random.normal(jax.random.key(2), (n, n)) / n**0.5,)


def training(hidden: int, T: int, updates: int, batch: int = 64) -> Callable[[jax.Array], jax.Array]:
    """Return a function of the key that trains an LSTM on the adding problem and returns its loss."""
    import optax

    from rnn_dynamics import train

    adam, task = optax.adam(1e-3), train.tasks.adding(T)
    evaluation = train.Evaluation(updates, examples=1)
    options: dict[str, Any] = {"updates": updates, "hidden": hidden, "batch": batch, "evaluation": evaluation}

    def run(key: jax.Array) -> jax.Array:
        here = train.Execution(devices=list(key.devices()))
        return train.fit(rd.cells.lstm, task, adam, key=key, execution=here, **options).loss

    return run


def seconds(call: Callable[[], Any], repetitions: int = 3) -> tuple[float, float]:
    """Return the time of the first call and the median time of the next ones."""
    times = []
    for _ in range(repetitions + 1):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return times[0], float(np.median(times[1:]))


def against_cpu(function: Callable[..., Any], make: Callable[[], Any]) -> dict[str, Any]:
    """Return the times on the device and on the CPU, and their ratio."""
    found: dict[str, Any] = {}
    for name, device in (("device", jax.devices()[0]), ("cpu", jax.devices("cpu")[0])):
        with jax.default_device(jax.devices("cpu")[0]):
            args = make()
        args = jax.device_put(args, device)
        with jax.default_device(device):
            found[f"{name}_first_s"], found[f"{name}_s"] = seconds(partial(function, *args))
    return found | {"ratio": found["cpu_s"] / found["device_s"]}


def nets(cell: str, n: int, T: int, count: int) -> Any:
    """Return parameters, states and inputs of chaotic nets, with a leading axis."""
    _, params, h0, xs = problem(cell, n, T, gain=2.0)
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *jnp.shape(leaf))), (params, h0, xs))


def batched(measure: Callable[..., Any], cell: str) -> Callable[..., Any]:
    """Return the compiled measurement of many nets at once."""
    return jax.jit(jax.vmap(partial(measure, rd.cells.CELLS[cell].step)))


def exponents_at_every_step(*net: Any) -> jax.Array:
    """Return only the full spectrum, with a factorisation at every step."""
    return rd.lyapunov_spectrum(*net, interval=1).exponents


def exponents_by_qr(*net: Any) -> jax.Array:
    """Return the full spectrum by our own QR."""
    return rd.lyapunov_spectrum(*net, interval=1, method="qr").exponents


def naive_spectrum(step: Any, params: Any, h0: Any, xs: Any) -> jax.Array:
    """Return the full spectrum as a JAX user would compute it, by jacfwd and QR in a scan."""

    def advance(carry: Any, x: Any) -> Any:
        h, Q = carry
        Q, R = jnp.linalg.qr(jax.jacfwd(lambda h: step(params, h, x))(h) @ Q)
        return (step(params, h, x), Q), jnp.log(jnp.abs(jnp.diagonal(R)))

    with jax.default_matmul_precision("highest"):
        return jax.lax.scan(advance, (h0, jnp.eye(h0.size, dtype=h0.dtype)), xs)[1].mean(axis=0)


def torch_spectrum(n: int, T: int, count: int) -> dict[str, Any]:
    """Time PyTorch's QR loop on the same device, with the parameters and states of our nets."""
    import torch

    where = "cuda" if torch.cuda.is_available() else "cpu"
    params, h0, _ = nets("elman", n, T, count)
    W, h = (torch.tensor(np.asarray(each), device=where) for each in (params.W, h0))

    def run() -> float:
        state, Q, total = h, torch.eye(n, device=where).repeat(count, 1, 1), torch.zeros(count, n, device=where)
        for _ in range(T):
            state = torch.tanh((W @ state[..., None])[..., 0])
            Q, R = torch.linalg.qr((1 - state**2)[..., None] * W @ Q)
            total = total + torch.log(torch.abs(torch.diagonal(R, dim1=1, dim2=2)))
        return float((total / T).sum())

    with torch.no_grad():
        first, later = seconds(run, 2)
    return {"device_first_s": first, "device_s": later, "steps_per_s": T * count / later}


def gemm(n: int, precision: str) -> dict[str, Any]:
    """Measure the rate of a large matrix product."""
    A = jax.random.normal(jax.random.key(0), (n, n))
    dot = jax.jit(partial(jnp.dot, precision=precision))
    _, later = seconds(lambda: dot(A, A), 5)
    return {"device_s": later, "tflops": 2 * n**3 / later / 1e12}


def bare_product(n: int, T: int, count: int) -> dict[str, Any]:
    """Time the product of Jacobians and convert it to a rate."""
    found = against_cpu(batched(rd.jacobian_product, "elman"), lambda: nets("elman", n, T, count))
    return found | {"tflops": 2 * n**3 * T * count / found["device_s"] / 1e12}


def sweep_speed(points: int, n: int, T: int) -> dict[str, Any]:
    """Measure the points per second of a small sweep of Lyapunov spectra over gains, on the device and on all cores."""
    found: dict[str, Any] = {}
    for name, cpu in (("device", False), ("cpu", True)):
        code = f"from benchmarks.device import run_sweep; run_sweep({points}, {n}, {T})"
        cores = os.cpu_count() or 1
        extra = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"--xla_force_host_platform_device_count={cores}"} if cpu else {}
        output = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | extra, capture_output=True, text=True, check=False
        )
        if output.returncode:
            raise RuntimeError(output.stderr[-1500:])
        found |= {f"{name}_{key}": value for key, value in json.loads(output.stdout.splitlines()[-1]).items()}
    return found | {"ratio": found["device_points_per_s"] / found["cpu_points_per_s"]}


def run_sweep(points: int, n: int, T: int) -> None:
    """Run one sweep in this process; its speed is that of the second half of its chunks, to exclude compilation."""
    from rnn_dynamics.measurements import lyapunov

    from .sweep import speed

    grid = {"cell": ["elman"], "hidden": [n], "length": [T], "drive": [0.1], "gain": np.linspace(0.5, 2.0, points)}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        address = Path(folder) / "sweep"
        rd.sweep(lyapunov, grid, key=jax.random.key(0), store=address, chunk=points // 8, progress=False)
        print(json.dumps({"all_s": time.perf_counter() - start, "points_per_s": speed(address)}))


def timings(small: bool) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield the timings of the device against the CPU."""
    T = 20 if small else 200
    large = 64 if small else 8192
    for precision in ("highest", "default"):
        yield f"one product, n = {large}, {precision}", partial(gemm, large, precision)
    for n, count in [(4, 2)] if small else [(64, 1), (64, 64), (256, 16)]:
        make = partial(nets, "elman", n, T, count)
        yield f"gradient flow, tanh, n = {n}, {count} nets", partial(against_cpu, batched(_flow, "elman"), make)
        yield f"bare product, n = {n}, {count} nets", partial(bare_product, n, T, count)
    hidden, steps = (4, 2) if small else (128, 10)
    yield (
        f"{steps} updates, LSTM of {hidden}, T = {T}",
        partial(against_cpu, training(hidden, T, steps), lambda: (jax.random.key(1),)),
    )
    yield "sweep of spectra", partial(sweep_speed, *((32, 4, 40) if small else (4096, 32, 400)))
    for n, count in [(4, 1), (4, 4)] if small else [(64, 1), (64, 256), (512, 1), (16, 4096), (256, 16)]:
        make = partial(nets, "elman", n, T, count)
        title = f"spectrum, tanh, n = {n}, {count} nets"
        yield title, partial(against_cpu, batched(exponents_at_every_step, "elman"), make)
        yield f"{title}, by our QR", partial(against_cpu, batched(exponents_by_qr, "elman"), make)
        yield f"{title}, naive JAX", partial(against_cpu, batched(naive_spectrum, "elman"), make)
        if count < 1000:
            yield f"{title}, PyTorch", partial(torch_spectrum, n, T, count)


ROWS = {"checks": checks, "timings": timings}


def work(kind: str, small: bool, numbers: list[int]) -> None:
    """Run these rows in this process and print each as a line of JSON."""
    rows = list(ROWS[kind](small))
    for number in numbers:
        name, row = rows[number]
        start = time.perf_counter()
        try:
            found = row()
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"[:600], "where": traceback.format_exc()[-1500:]}
        found |= {"kind": kind, "row": name, "took_s": time.perf_counter() - start}
        print(json.dumps(found), flush=True)


def words(found: dict[str, Any]) -> str:
    """Return a row as a line of the table."""
    if "error" in found:
        return f"{found['row']:<48} FAILED  {found['error'].splitlines()[0][:150]}"
    numbers = {key: value for key, value in found.items() if key not in ("kind", "row", "fine", "took_s")}
    mark = {True: "fine  ", False: "WRONG ", None: ""}[found.get("fine")]
    return f"{found['row']:<48} {mark}" + "  ".join(f"{key} {value:.3g}" for key, value in numbers.items())


def main() -> None:
    """Distribute the rows over processes and collect what they print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rehearse", action="store_true", help="run every row at a tiny size")
    parser.add_argument("--seconds", type=float, default=400, help="start no further row after this time")
    parser.add_argument("--workers", type=int, default=8, help="how many processes run checks in parallel")
    parser.add_argument("--out", type=Path, default=Path("runs/device"))
    parser.add_argument("--kinds", nargs="*", default=list(ROWS))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    begun, done = time.perf_counter(), []
    code = "import jax; d = jax.devices()[0]; print(d.device_kind, jax.__version__, sep=', jax ')"
    title = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{title}; {os.cpu_count()} CPU cores", flush=True)

    def keep(line: str) -> None:
        if line.startswith("{"):
            done.append(json.loads(line))
            print(words(done[-1]), flush=True)
            (args.out / "device.json").write_text(json.dumps({"device": title, "rows": done}, indent=1))
            (args.out / "device.txt").write_text("\n".join([title, *map(words, done)]) + "\n")

    def process(kind: str, numbers: list[int]) -> None:
        left = args.seconds - (time.perf_counter() - begun)
        if left <= 0:
            return
        call = f"from benchmarks.device import work; work({kind!r}, {args.rehearse}, {numbers})"
        with subprocess.Popen(
            [sys.executable, "-c", call], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as child:
            timer = ThreadPoolExecutor(1).submit(_end_after, child, left)
            assert child.stdout is not None
            for line in child.stdout:
                keep(line)
            child.wait()
            timer.cancel()
        if child.returncode:
            print(f"a process with rows {numbers} of {kind} ended with code {child.returncode}", flush=True)

    for kind in args.kinds:
        count = len(list(ROWS[kind](args.rehearse)))
        workers = args.workers if kind == "checks" else 1
        shares = [list(range(i, count, workers)) for i in range(workers)]
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(partial(process, kind), shares))
    print(f"{len(done)} rows in {time.perf_counter() - begun:.0f} s", flush=True)


def _end_after(child: subprocess.Popen[str], left: float) -> None:
    try:
        child.wait(timeout=left)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    main()
