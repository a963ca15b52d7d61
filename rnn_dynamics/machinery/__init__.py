"""The parts that measurements are built from. Users call `rnn_dynamics.measure`, never these files.

Calling a measurement  entry, captured_arrays, computation_name, compiled_programs, numpy_or_jax, printed
A step and its state   state_vector, linear_maps, shard_map_axes, batch_decision
Loops over time        frame_loop, frame_push, frame_schedule, lu_frames, lag_loop, step_norms, rank_compression,
                       recomputed_states, standard_error
All times at once      trajectory_root, parallel_iteration, linear_recurrence, replayed_steps
Windows of time        time_windows, window_frames, window_joints, window_products
Single matrices        scaled, graded_triangles, spectral_norm, svd, eigensystem, matrix_powers, pseudospectrum,
                       lapack_threads

To follow one result from its equation to its code, read in this order:

Lyapunov exponents     linear_maps, lu_frames, frame_push, frame_schedule, frame_loop, standard_error,
                       time_windows, window_frames, window_joints
Gradient flow          linear_maps, scaled, spectral_norm, rank_compression, recomputed_states, lag_loop,
                       window_products
States in parallel     state_vector, trajectory_root, parallel_iteration, linear_recurrence, replayed_steps
Singular values        linear_maps, lu_frames, graded_triangles
Powers of a matrix     svd, eigensystem, pseudospectrum, matrix_powers
A call of any of them  entry, captured_arrays, computation_name, compiled_programs, numpy_or_jax
"""
