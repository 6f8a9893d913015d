-- First pass over one raw file: who calls. Grain: one row an app and function. Parameter: {file} raw CSV.
-- Columns: app, function (as written), calls, is_valid (both are 64 lower-case hex digits).
with raw as (
    select app, func
    from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'app': 'VARCHAR', 'func': 'VARCHAR', 'end_timestamp': 'DOUBLE', 'duration': 'DOUBLE'}})
),
grouped as (
    select app, func as function, count(*) as calls
    from raw
    group by all
),
final as (
    select app, function, calls,
        (regexp_full_match(app, '[0-9a-f]{{64}}') and regexp_full_match(function, '[0-9a-f]{{64}}')) is true as is_valid
    from grouped
)
select app, function, calls, is_valid
from final
order by app, function
