-- First pass over one raw file: who calls on which day. Grain: one row an app, function and day of the start.
-- Parameters: {file} raw CSV, {max_duration_s}, {max_arrival_us}.
-- Columns: app, function (64 hex digits), day, calls, bad (calls that fail a check; an id fails for all its calls).
with raw as (
    select app, func, end_timestamp, duration,
        round(end_timestamp * 1e6)::bigint - round(duration * 1e6)::bigint as arrival_us
    from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'app': 'VARCHAR', 'func': 'VARCHAR', 'end_timestamp': 'DOUBLE', 'duration': 'DOUBLE'}})
),
grouped as (
    select app, func, arrival_us // 86400000000 as day, count(*) as calls,
        count(*) filter (where (arrival_us >= 0 and arrival_us < {max_arrival_us}
            and duration >= 0 and duration <= {max_duration_s}) is not true) as bad
    from raw
    group by all
),
final as (
    select app, func as function, day, calls,
        case when (regexp_full_match(app, '[0-9a-f]{{64}}') and regexp_full_match(func, '[0-9a-f]{{64}}')) is true
            then bad else calls end as bad
    from grouped
)
select * from final
