-- Use of the cells in one day by their usage rows. Grain: one row per cell and slot that has a row outside an alloc.
-- Parameter: {pieces} files of the day (sql/google2019/spread_usage.sql).
-- Columns: cell, slot, cpu_used (NCU), memory_used (NMU).
with pieces as (
    select * from read_parquet({pieces})
),
final as (
    -- 3e20: pico units times the slot's 3e8 us
    select cell, slot, cast(sum(cpu_pico_us) as double) / 3e20 as cpu_used, cast(sum(memory_pico_us) as double) / 3e20 as memory_used
    from pieces
    group by cell, slot
    having sum(windows) > 0
)
select * from final
order by cell, slot
