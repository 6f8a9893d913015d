-- The counts above zero of one file. Grain: one row per line of the file and minute. Inputs: {file} raw CSV, {columns} its columns.
-- Columns: app_id, function_id, minute (1..1440: the minute m ends m * 60 s after midnight), calls.
with raw as (
    select * exclude (owner, trigger) from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"',
        strict_mode = true, columns = {columns})
),
cells as (
    unpivot raw on columns(* exclude (app, function)) into name minute value calls
),
final as (
    select ('0x' || app[:15])::bigint as app_id, ('0x' || function[:15])::bigint as function_id,
        minute::integer as minute, calls::integer as calls
    from cells
    where calls::integer > 0
)
select * from final
