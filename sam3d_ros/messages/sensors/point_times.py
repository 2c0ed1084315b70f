# SPDX-License-Identifier: Apache-2.0
"""When each point of a cloud was measured, in whichever field and unit the driver writes it.

Ouster writes ``t`` in ns, Velodyne ``time`` in s, Hesai, RoboSense and Livox ``timestamp`` in s or
ns of a clock; none says its unit. A sweep takes 5 ms to 1.5 s, and the units are a factor of 1000
apart, so its length tells which it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sam3d_ros.core.types import FloatArray

NAMES = ('t', 'time', 'timestamp', 'time_stamp', 'offset_time', 'time_offset', 'timeoffset')
"""Names of the field, in small letters."""
_UNITS_S = (1.0, 1e-3, 1e-6, 1e-9)
_SHORTEST_S, _LONGEST_S = 0.005, 1.5


def point_times(points: npt.NDArray[Any], stamp_ns: int) -> FloatArray | None:
    """Return (N,) seconds from a cloud's stamp to each of its points, None when it does not say.

    Times of a clock that is not the stamp's count from the first point, which is then taken to be
    of the stamp.

    :param points: structured view of the cloud, see :func:`clouds.decode_fields`.
    :param stamp_ns: the cloud's stamp, nanoseconds.
    """
    by_name = {name.lower(): name for name in points.dtype.names or ()}
    found = [by_name[name] for name in NAMES if name in by_name]
    if not found or not points.size or points.dtype[found[0]].shape:
        return None
    raw = points[found[0]].reshape(-1)
    first = raw.min()
    if not np.isfinite(first):
        return None
    # Stamps of nanoseconds since 1970 have more digits than float64.
    after = (raw - first).astype(np.float64)
    span = float(after.max())
    units = [unit for unit in _UNITS_S if _SHORTEST_S <= span * unit <= _LONGEST_S]
    if not units:
        return None
    (unit_s,) = units
    if np.issubdtype(raw.dtype, np.integer) and unit_s == 1e-9:
        begun_s = (int(first) - stamp_ns) * 1e-9
        relative_s = int(first) * 1e-9
    else:
        begun_s = float(first) * unit_s - stamp_ns * 1e-9
        relative_s = float(first) * unit_s
    if abs(relative_s) <= _LONGEST_S:
        begun_s = relative_s
    elif abs(begun_s) > _LONGEST_S:
        begun_s = 0.0
    times: FloatArray = begun_s + after * unit_s
    return times
