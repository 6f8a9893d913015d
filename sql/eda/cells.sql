-- Utilisation of the Google cells. Grain: one row per cell and 5-minute slot. Parameter: {utilisation} file pattern.
-- Columns: cell, slot, cpu_fraction, memory_fraction.
with final as (
    select cell, slot, cpu_fraction, memory_fraction from read_parquet({utilisation})
)
select * from final
order by cell, slot
