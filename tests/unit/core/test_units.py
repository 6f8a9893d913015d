"""Constants that are repeated where they must be."""

from core import units
from simulator import kernel


def test_the_kernel_repeats_the_units_it_needs() -> None:
    assert (units.SLOT_US, units.HOUR_US) == (kernel.SLOT_US, kernel.HOUR_US)


def test_units_of_time_follow_from_each_other() -> None:
    assert units.DAY_US == 86_400_000_000 == 24 * units.HOUR_US == units.MINUTES_PER_DAY * units.MINUTE_US
    assert units.DAY_US == units.SLOTS_PER_DAY * units.SLOT_US
    assert units.HOUR_US == units.SLOTS_PER_HOUR * units.SLOT_US
    assert units.WEEK_S == 7 * units.DAY_S
