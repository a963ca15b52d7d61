"""A sweep as a script of its own: python sweep_script.py STORE ENGINE [argument ...]."""

import concurrent.futures
import multiprocessing
import os
import sys

import jax
import numpy as np

import rnn_dynamics as rd
from rnn_dynamics.sweeps import Submitit

if __name__ == "__main__":
    # workers import this as a module, and find the function below there
    from sweep_measures import counted

    def say(*words: object) -> None:
        sys.stdout.write(" ".join(map(str, words)) + "\n")
        sys.stdout.flush()

    def run(store: str, **options: object) -> None:
        found = rd.sweep(
            counted,
            {"gain": np.linspace(0.5, 2, 20), "big": [False, True]},
            key=jax.random.key(7),
            store=store,
            chunk=1,
            **options,
        )
        say("finished", int((found.status == 1).sum()))

    store, engine, *rest = sys.argv[1:]
    if engine == "here":
        run(store)
    elif engine == "processes":
        with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            say("workers", *{pool.submit(os.getpid).result() for _ in range(8)})
            run(store, executor=pool)
    elif engine == "dask":
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            say("workers", *client.run(os.getpid).values())
            run(store, executor=client.get_executor())
    elif engine == "submitit":
        import submitit

        executor = submitit.AutoExecutor(folder=rest[0], cluster="local")
        executor.update_parameters(timeout_min=5)
        run(store, executor=Submitit(executor, jobs=2, poll_seconds=0.2))
    else:
        jax.distributed.initialize(rest[0], num_processes=2, process_id=int(rest[1]))
        run(store)
        say("process", jax.process_index())
