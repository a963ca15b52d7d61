"""Tasks for recurrent nets, one file each, drawn from keys; chance and solved levels on top of each file."""

from .adding import adding

__all__ = ["adding"]
