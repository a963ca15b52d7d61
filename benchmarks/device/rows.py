"""All rows, in the order in which they run: what matters most comes first, as time may run out."""

from collections.abc import Iterator
from functools import partial

from . import peers, points, speed, sweep_rows
from .checks import checks
from .driver import Part, Row

# units, nets and steps of the spectra that peers are timed on too, and the steps of PyTorch
COMPARED = [(64, 1, 200, 100), (64, 256, 200, 20), (256, 16, 100, 20), (1024, 1, 20, 5), (16, 4096, 200, 10)]
OTHERS = [
    (16, 1, 200), (256, 1, 100), (512, 1, 50), (16, 16, 200), (64, 16, 200), (16, 256, 200), (64, 4096, 50),
    (256, 256, 20),
]  # fmt: skip


def parts(small: bool) -> dict[str, Part]:
    """Return the parts: checks run several at a time, times one after the other, peaks each in a fresh process."""
    return {
        "checks": Part(checks(small), at_once=2 if small else 12, share=0.4),
        "points": Part(points.rows(small), share=0.5),
        "speed": Part([*_first(small), *_compared(small), *_flows(small)], share=0.9),
        "memory": Part(_peaks(small), in_each=1, share=0.6),
        "more speed": Part([*_others(small), *_last(small)]),
    }


def _first(small: bool) -> Iterator[Row]:
    sizes = (64, 64, 4, 40) if small else (32_768, 2048, 32, 400)
    yield Row("sweep of spectra, and on all cores", partial(sweep_rows.speed, *sizes), 90)
    yield Row("sweep killed and resumed", partial(sweep_rows.kill, 64, 4 if small else 32), 90)
    hidden, T, updates, sequences = (4, 20, 2, 2) if small else (128, 200, 10, 16)
    yield Row(f"{updates} updates, LSTM of {hidden}, T = {T}", partial(speed.updates, hidden, T, updates), 60)
    yield Row(f"diagnosis, LSTM of {hidden}, T = {T}", partial(speed.diagnosis, hidden, T, sequences), 150)


def _compared(small: bool) -> Iterator[Row]:
    for n, count, T, of_torch in [(4, 1, 20, 5), (4, 4, 20, 5)] if small else COMPARED:
        name = f"spectrum, n = {n}, {count} nets"
        yield Row(name, partial(speed.spectrum, n, T, count), 60)
        yield Row(f"{name}, PyTorch", partial(peers.in_torch, n, of_torch, count))
        yield Row(f"{name}, jnp.linalg.qr", partial(peers.in_jax, n, T, count))
        yield Row(f"{name}, our QR", partial(speed.spectrum, n, T, count, "our QR"))


def _flows(small: bool) -> Iterator[Row]:
    large = 64 if small else 8192
    for precision in ("highest", "default"):
        name = f"one product, n = {large}, {precision}"
        yield Row(name, partial(speed.product_rate, large, precision))
    n, T = (4, 20) if small else (64, 200)
    for count in (1, 2) if small else (1, 64):
        yield Row(f"gradient flow, n = {n}, {count} nets", partial(speed.flow, n, T, count))
    for n, count in [(4, 2)] if small else [(64, 64), (256, 16)]:
        yield Row(f"bare product, n = {n}, {count} nets", partial(speed.bare_product, n, T, count))
    n, T = (4, 200) if small else (64, 4000)
    yield Row(f"windows, n = {n}, T = {T}", partial(speed.windows, n, T, 1), 60)


def _others(small: bool) -> Iterator[Row]:
    for n, count, T in [(5, 2, 20)] if small else OTHERS:
        yield Row(f"spectrum, n = {n}, {count} nets", partial(speed.spectrum, n, T, count), 60)


def _last(small: bool) -> Iterator[Row]:
    n, T = (4, 50) if small else (64, 10_000)
    yield Row(f"unroll by Newton, n = {n}, T = {T}", partial(speed.newton, n, T))
    n, T = (5, 200) if small else (16, 20_000)
    yield Row(f"windows, n = {n}, T = {T}", partial(speed.windows, n, T, 1))
    n = 4 if small else 64
    yield Row(f"spectrum, n = {n}, 1 nets, torch.compile", partial(peers.in_torch, n, 5 if small else 50, 1, True), 90)
    n, T, count = (5, 20, 2) if small else (256, 200, 16)
    yield Row(f"gradient flow, n = {n}, {count} nets", partial(speed.flow, n, T, count), 70)


def _peaks(small: bool) -> list[Row]:
    n, T, count = (4, 20, 2) if small else (128, 400, 16)
    hidden = 4 if small else 128
    return [
        Row(f"peak memory, gradient flow, n = {n}, {count} nets, T = {T}", partial(speed.peak_of_flow, n, T, count)),
        Row(f"peak memory, spectrum, n = {n}, {count} nets, T = {T}", partial(speed.peak_of_spectrum, n, T, count)),
        Row(f"peak memory, 2 updates, LSTM of {hidden}, T = {T}", partial(speed.peak_of_training, hidden, T)),
    ]
