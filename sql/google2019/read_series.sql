-- One five-minute series of a cell as published, typed. Grain: one row a slot.
-- Parameters: {file} raw CSV, {cell} letter of the cell.
-- Columns: cell, slot (index of the published series), cpu_used (NCU), memory_used (NMU).
with raw as (
    select *
    from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'slot': 'INTEGER', 'avgcpu': 'DOUBLE', 'avgmem': 'DOUBLE', 'time': 'VARCHAR', 'timestamp': 'VARCHAR',
                   'day_of_week': 'VARCHAR', 'hour_of_day': 'VARCHAR'}})
),
final as (
    -- the published columns are units in use times the slot's 3e8 us
    select {cell} as cell, slot, avgcpu / 3e8 as cpu_used, avgmem / 3e8 as memory_used
    from raw
)
select * from final
