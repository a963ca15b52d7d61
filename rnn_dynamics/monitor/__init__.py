"""Watch the gradients of a network while it trains in any framework's loop."""

from .record import GradientWarning, Norms, Record
from .watch import watch
from .watcher import Watch

__all__ = ["GradientWarning", "Norms", "Record", "Watch", "watch"]
