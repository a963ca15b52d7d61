"""A network's diagnosis as a page to share: one HTML file, or a folder of pictures and numbers."""

from .report import Report, report

__all__ = ["Report", "report"]


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
