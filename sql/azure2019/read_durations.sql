-- Percentiles of the duration of one file, in ms. Grain: one row per line of the file. Inputs: {file} raw CSV, {most_ms} longest call.
-- Columns: app_id, function_id, p0, p1, p25, p50, p75, p99, p100, good (usable).
with raw as (
    select * from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'owner': 'VARCHAR', 'app': 'VARCHAR', 'function': 'VARCHAR', 'mean': 'VARCHAR', 'calls': 'VARCHAR', 'least': 'VARCHAR',
            'most': 'VARCHAR', 't0': 'VARCHAR', 't1': 'VARCHAR', 't25': 'VARCHAR', 't50': 'VARCHAR', 't75': 'VARCHAR', 't99': 'VARCHAR',
            't100': 'VARCHAR'}})
),
typed as (
    select *, measure(t0) as p0, measure(t1) as p1, measure(t25) as p25, measure(t50) as p50, measure(t75) as p75, measure(t99) as p99,
        measure(t100) as p100
    from raw
),
final as (
    select try_cast('0x' || app[:15] as bigint) as app_id, try_cast('0x' || function[:15] as bigint) as function_id,
        p0, p1, p25, p50, p75, p99, p100,
        (regexp_full_match(owner, '[0-9a-f]{{64}}') and regexp_full_match(app, '[0-9a-f]{{64}}')
            and regexp_full_match(function, '[0-9a-f]{{64}}') and p0 >= 0 and p0 <= p1 and p1 <= p25 and p25 <= p50 and p50 <= p75
            and p75 <= p99 and p99 <= p100 and p100 <= {most_ms} and blank_or_measure(mean) and blank_or_measure(calls)
            and blank_or_measure(least) and blank_or_measure(most)) is true as good
    from typed
)
select * from final
