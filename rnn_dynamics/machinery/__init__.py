"""What the measurements are made of. Nothing here is called by a user; `rnn_dynamics.measure` holds what is.

A measurement called   entry, captured_arrays, computation_name, compiled_programs, numpy_or_jax
A step and its state   state_vector, linear_maps, shard_map_axes, batch_decision
Loops over time        frame_loop, frame_push, frame_schedule, lu_frames, lag_loop, step_norms, rank_compression,
                       recomputed_states, standard_error
Single matrices        scaled, graded_triangles, spectral_norm, svd, matrix_powers, pseudospectrum, lapack_threads
"""
