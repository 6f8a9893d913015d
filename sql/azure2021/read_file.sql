-- Second pass over one raw file whose rows are all usable. Grain: one row a call, unsorted. Parameter: {file} raw CSV.
-- Columns: app_id, function_id (first 15 hex digits of the id as an integer), arrival_us, duration_us, day.
with raw as (
    select app, func, round(end_timestamp * 1e6)::bigint as end_us, round(duration * 1e6)::bigint as duration_us
    from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'app': 'VARCHAR', 'func': 'VARCHAR', 'end_timestamp': 'DOUBLE', 'duration': 'DOUBLE'}})
),
final as (
    select ('0x' || app[:15])::bigint as app_id, ('0x' || func[:15])::bigint as function_id,
        end_us - duration_us as arrival_us, duration_us, (end_us - duration_us) // 86400000000 as day
    from raw
)
select * from final
