"""A diagnosis as JSON that every reader of JSON accepts: no NaN and no Infinity, which JSON does not have.

NaN becomes null, and an infinite number the text "inf" or "-inf". Numbers have six digits, arrays become nested lists.
"""

import json
import math
from typing import Any

import jax
import numpy as np

FORMAT = 1


def plain(value: Any) -> Any:
    """Return a value as what JSON has: dicts, lists, texts, numbers, true, false, null."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(f"{value:.6g}")
        if math.isnan(number):
            return None
        return number if math.isfinite(number) else ("inf" if number > 0 else "-inf")
    if isinstance(value, np.ndarray | jax.Array):
        return plain(np.asarray(value).tolist())
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def as_json(diagnosis: Any) -> str:
    """Return a diagnosis as JSON: its evidence, its findings, and its remedies without the changed networks."""
    remedies = [
        {name: plain(item) for name, item in remedy._asdict().items() if name not in ("step", "params")}
        for remedy in diagnosis.remedies
    ]
    content = {
        "format": FORMAT,
        "findings": plain(list(diagnosis.findings)),
        "remedies": remedies,
        "evidence": plain(diagnosis.evidence),
    }
    return json.dumps(content, allow_nan=False, ensure_ascii=False)
