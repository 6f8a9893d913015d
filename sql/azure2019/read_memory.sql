-- Median allocated memory of the apps of one file, in MB. Grain: one row per line of the file. Inputs: {file} raw CSV.
-- Columns: app_id, memory_mb, good (usable).
with raw as (
    select * from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'owner': 'VARCHAR', 'app': 'VARCHAR', 'samples': 'VARCHAR', 'mean': 'VARCHAR', 'm1': 'VARCHAR', 'm5': 'VARCHAR',
            'm25': 'VARCHAR', 'm50': 'VARCHAR', 'm75': 'VARCHAR', 'm95': 'VARCHAR', 'm99': 'VARCHAR', 'm100': 'VARCHAR'}})
),
final as (
    select try_cast('0x' || app[:15] as bigint) as app_id, measure(m50) as memory_mb,
        (regexp_full_match(owner, '[0-9a-f]{{64}}') and regexp_full_match(app, '[0-9a-f]{{64}}') and measure(m50) >= 0
            and blank_or_measure(samples) and blank_or_measure(mean) and blank_or_measure(m1) and blank_or_measure(m5)
            and blank_or_measure(m25) and blank_or_measure(m75) and blank_or_measure(m95) and blank_or_measure(m99)
            and blank_or_measure(m100)) is true as good
    from raw
)
select * from final
