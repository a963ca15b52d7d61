"""Faults in sweeps and their stores."""

from .fault import Fault

NUMBERS = "sweeps/test_numbers.py::test"
STORE = "sweeps/test_store.py::test"
HARM = "sweeps/test_harm.py::test"
DAMAGE = "sweeps/test_damage.py::test"

SWEEP = [
    Fault(
        "one-key-for-all",
        "sweeps/program.py",
        "measure_point(jax.random.fold_in(key, number), **static",
        "measure_point(key, **static",
        f"{NUMBERS}_each_point_is_a_call_of_measure_with_the_key_of_its_place",
    ),
    Fault(
        "one-key-for-repeats",
        "sweeps/runner.py",
        "np.ravel_multi_index(tuple(cells), work.grid.shape).astype(np.uint32)",
        "(np.ravel_multi_index(tuple(cells), work.grid.shape) // work.grid.repeats).astype(np.uint32)",
        f"{NUMBERS}_each_point_is_a_call_of_measure_with_the_key_of_its_place",
    ),
    Fault(
        "window-overhangs",
        "sweeps/grid_windows.py",
        "(cells < np.array([part.stop for part in chunk])[:, None, None]).all(axis=0)",
        "(cells >= 0).all(axis=0)",
        "sweeps/test_grid.py::test_windows_of_chunks_cover_each_point_once",
    ),
    Fault(
        "window-padding-kept",
        "sweeps/runner.py",
        "here = {name: values[begin : begin + len(part.meant)][part.meant]",
        "here = {name: values[begin : begin + len(part.meant)][part.meant[:, ::-1]]",
        f"{NUMBERS}_chunks_do_not_change_a_bit",
    ),
    Fault(
        "rbg-under-vmap",
        "sweeps/plan.py",
        'str(jax.random.key_impl(key)) == "threefry2x32" if typed',
        "True if typed",
        "sweeps/test_plan.py::test_what_is_drawn_does_not_depend_on_neighbours",
    ),
    Fault(
        "record-before-data",
        "sweeps/chunk_records.py",
        """        for name, values in data.items():
            store.arrays[name][region] = values
        record = record | {"digest": digest(data)}
        store.records[number] = json.dumps(record)
""",
        """        record = record | {"digest": digest(data)}
        store.records[number] = json.dumps(record)
        for name, values in data.items():
            store.arrays[name][region] = values
""",
        f"{STORE}_the_record_is_written_after_the_data",
    ),
    Fault(
        "data-digest-ignored",
        "sweeps/chunk_records.py",
        'fault = "" if found == record.get("digest") else',
        'fault = "" if found else',
        f"{STORE}_a_damaged_chunk_is_found_and_computed_again[remove]",
    ),
    Fault(
        "finished-chunks-again",
        "sweeps/worker.py",
        "for number, record in records.items() if not record]",
        "for number, record in records.items()]",
        f"{STORE}_a_chunk_that_another_process_has_finished_is_left_alone",
    ),
    Fault(
        "coordinates-not-checked",
        "sweeps/coordinate_copies.py",
        "if digest({name: values}) == wanted:",
        "if values is not None:",
        f"{HARM}_a_lost_axis_is_restored_before_a_point_is_computed[gain-unlink]",
    ),
    Fault(
        "seal-ignored",
        "sweeps/attribute_seal.py",
        'if attributes.get("digest") == _digest(attributes):',
        'if "digest" in attributes:',
        f"{HARM}_an_edited_store_is_refused[another key]",
    ),
    Fault(
        "another-key-accepted",
        "sweeps/identity.py",
        'compared = ["format", "measure_point", "key", "key_impl",',
        'compared = ["format", "measure_point", "key_impl",',
        f"{STORE}_another_sweep_is_refused_and_the_difference_named",
    ),
    Fault(
        "changed-measure-accepted",
        "sweeps/outputs.py",
        'digest.update(re.sub(r"0x[0-9a-f]+", "", str(program)).encode())',
        "pass",
        f"{STORE}_a_measure_of_the_same_name_that_was_changed_is_refused",
    ),
    Fault(
        "constants-of-a-measure",
        "sweeps/outputs.py",
        "yield from _constants(leaf)",
        "pass",
        f"{STORE}_an_array_within_an_inner_program_belongs_to_the_measure",
    ),
    Fault(
        "no-consent-asked",
        "sweeps/version_consent.py",
        'if on_version != "accept":',
        'if on_version == "never":',
        f"{DAMAGE}_consent_to_another_version_is_to_one_program",
    ),
    Fault(
        "units-not-updated",
        "sweeps/descriptions.py",
        "if there != attributes:",
        "if there.keys() != attributes.keys():",
        f"{DAMAGE}_changed_units_and_names_are_updated_and_told",
    ),
    Fault(
        "links-followed",
        "sweeps/plain_files.py",
        "if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):",
        "if stat.S_ISFIFO(mode):",
        f"{HARM}_what_is_no_plain_file_is_refused[link-gain/c/0]",
    ),
    Fault(
        "escapes-printed",
        "sweeps/terminal_text.py",
        "one if one.isprintable() or one in keep else",
        "one if one.isascii() else",
        f"{HARM}_printable",
    ),
    Fault(
        "record-of-nonsense",
        "sweeps/chunk_records.py",
        "or counts[0] != points:",
        "or False:",
        f"{HARM}_records_that_make_no_sense_are_computed_again",
    ),
    Fault(
        "nan-not-flagged",
        "sweeps/runner.py",
        "np.where(nan, NAN, NO_NAN)",
        "np.where(nan, NO_NAN, NO_NAN)",
        f"{STORE}_nan_is_kept_and_flagged_and_what_raises_recorded",
    ),
    Fault(
        "padded-with-zeros",
        "sweeps/status.py",
        'np.array(np.nan if dtype.kind in "fc" else 0, dtype)',
        "np.array(0, dtype)",
        f"{NUMBERS}_outputs_of_several_lengths_are_padded_and_their_length_told",
    ),
    Fault(
        "out-of-memory-recorded",
        "sweeps/status.py",
        "return isinstance(error, MemoryError)",
        "return False",
        f"{STORE}_want_of_memory_is_no_error_of_a_point",
    ),
    Fault(
        "written-before-the-next-is-computed",
        "sweeps/background_writer.py",
        "self.begun.append(self.thread.submit(write, self.store, number, data, record))",
        "self.begun.append(self.thread.submit(write, self.store, number, data, record))\n        self.written()",
        f"{STORE}_a_chunk_is_written_while_the_next_is_computed",
    ),
    Fault(
        "window-not-checked-again",
        "sweeps/plan.py",
        "if needed <= limits.memory:",
        "if True:",
        "sweeps/test_plan.py::test_a_window_of_an_accelerator_keeps_to_the_memory_and_a_group_is_compiled_once",
    ),
]
