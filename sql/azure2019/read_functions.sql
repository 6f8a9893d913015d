-- The functions of one file of counts. Grain: one row per line of the file. Inputs: {file} raw CSV, {columns} its columns.
-- Columns: app_id, function_id (first 15 hex digits), app, function (64 hex digits), trigger.
with raw as (
    select * from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {columns})
),
final as (
    select ('0x' || app[:15])::bigint as app_id, ('0x' || function[:15])::bigint as function_id, app, function, trigger from raw
)
select * from final
