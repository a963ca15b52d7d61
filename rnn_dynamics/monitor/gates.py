"""Gate statistics for one watch: what a gate does is found once, how far it is open at each record."""

from ..diagnosis import gate_values
from ..diagnosis.evidence import GateStatistics
from ..diagnosis.problem import Problem
from ..diagnosis.trajectory import Trajectory


class Gates:
    """The gates of the net that is watched.

    Finding what a gate does takes tens of milliseconds, since the step is compared with each known cell. It cannot
    change in a training.
    """

    def __init__(self) -> None:
        self._roles: dict[str, dict[str, str] | None] = {}

    def statistics(self, problem: Problem, path: Trajectory) -> dict[str, GateStatistics] | None:
        """Return the statistics of each gate by name, such as "layer 1 forget"; None if no gate is known."""
        found = {}
        for prefix, layer in gate_values.layers(problem, path).items():
            if prefix not in self._roles:
                self._roles[prefix] = layer.roles()
            roles = self._roles[prefix]
            if roles is not None:
                for name, values in layer.values().items():
                    found[prefix + name] = gate_values.of_values(values, roles.get(name, ""))
        return found or None
