"""Constants of time, size and scale, each defined once. Not here: figures of the world (params.yaml, data/reference).

Whole numbers, so that they serve integers and floats alike. `simulator/kernel.py` repeats `SLOT_US` and `HOUR_US`, because numba's cache
notices changes in the compiled file only; a test checks that they are equal.
"""

from __future__ import annotations

US_PER_S = 1_000_000
MINUTE_S, HOUR_S, DAY_S, WEEK_S = 60, 3_600, 86_400, 604_800
MINUTE_US, HOUR_US, DAY_US = MINUTE_S * US_PER_S, HOUR_S * US_PER_S, DAY_S * US_PER_S
MINUTES_PER_DAY = 1_440
SLOT_S = 300  # utilisation and capacity are constant within five minutes
SLOT_US = SLOT_S * US_PER_S
SLOTS_PER_HOUR, SLOTS_PER_DAY = HOUR_S // SLOT_S, DAY_S // SLOT_S

MB_PER_GB = 1_024  # of memory, as providers configure and bill it
BYTES_PER_KIB = 1_024
BYTES_PER_GB = 1_000_000_000  # of traffic and of stored state

PPM = 1_000_000
NANOUSD_PER_USD = 1_000_000_000
NANOUSD_PER_MB = 1_000_000  # per 10^6 bytes, of one USD per GB of traffic
FUSD_PER_US = 1_000_000_000  # femto-USD per microsecond, of one USD per second
NG_PER_KG = 1_000_000_000_000
UW_PER_W = 1_000_000
