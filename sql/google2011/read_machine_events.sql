-- One file of machine events, unsorted. Grain: one row per event. Inputs: {file} raw CSV without header; {max_us} end of the span.
-- Columns: time_us, machine_id, event_type, platform_id, cpus, memory (normalised, null: not stated), day, good (usable).
with raw as (
    select * from read_csv({file}, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'t': 'VARCHAR', 'machine': 'VARCHAR', 'event': 'VARCHAR', 'platform': 'VARCHAR', 'c': 'VARCHAR', 'm': 'VARCHAR'}})
),
final as (
    select whole(t) as time_us, whole(machine) as machine_id, whole(event) as event_type, platform as platform_id,
        measure(c) as cpus, measure(m) as memory, day_of(whole(t)) as day,
        (in_span(whole(t), {max_us}) and whole(machine) is not null and whole(event) is not null and plain(platform)
            and blank_or(c, measure(c)) and blank_or(m, measure(m))) is true as good
    from raw
)
select * from final
