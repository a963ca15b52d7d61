"""Run all five exercises with their tables and figures: `python -m experiments.exercises`."""

from . import adder_and_lstm, double_sum, gru_by_hand, scalar_linear, three_steps
from .report import present

for exercise in (gru_by_hand, three_steps, scalar_linear, adder_and_lstm, double_sum):
    present(exercise, exercise.Config())
