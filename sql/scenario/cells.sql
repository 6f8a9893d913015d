-- CPU of the cells. Grain: one row per cell and slot. Input: {utilisation}, the staged series. Columns: cell, slot, cpu_fraction.
with used as (
    select cell, slot, cpu_fraction
    from read_parquet({utilisation}, hive_partitioning = false)
),
final as (
    select cell, slot, cpu_fraction from used
)
select cell, slot, cpu_fraction
from final
order by cell, slot
