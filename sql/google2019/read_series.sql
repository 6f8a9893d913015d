-- One five-minute series of a cell as published, typed. Grain: one row per slot.
-- Parameters: {file} raw CSV, {cell} letter of the cell.
-- Columns: cell, slot (index of the published series), cpu_used (NCU), memory_used (NMU), has_all_columns (false: too few or too many).
with raw as (
    -- an empty field is '', a missing one null: a column too few leaves hour_of_day null, one too many (even if empty) fills beyond
    select *
    from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        null_padding = true, nullstr = '<missing>',
        columns = {{'slot': 'INTEGER', 'avgcpu': 'DOUBLE', 'avgmem': 'DOUBLE', 'time': 'VARCHAR', 'timestamp': 'VARCHAR',
                   'day_of_week': 'VARCHAR', 'hour_of_day': 'VARCHAR', 'beyond': 'VARCHAR'}})
),
final as (
    -- the published columns are units in use times the slot's 3e8 us
    select {cell} as cell, slot, avgcpu / 3e8 as cpu_used, avgmem / 3e8 as memory_used,
        hour_of_day is not null and beyond is null as has_all_columns
    from raw
)
select * from final
