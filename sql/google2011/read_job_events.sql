-- One file of job events, unsorted. Grain: one row per event. Inputs: {file} raw CSV without header; {max_us} end of the span.
-- Columns: time_us, missing_info, job_id, event_type, user, scheduling_class, job_name, logical_job_name, day, good (usable).
with raw as (
    select * from read_csv({file}, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'t': 'VARCHAR', 'missing': 'VARCHAR', 'job': 'VARCHAR', 'event': 'VARCHAR', 'who': 'VARCHAR', 'class': 'VARCHAR',
            'name': 'VARCHAR', 'logical': 'VARCHAR'}})
),
final as (
    select whole(t) as time_us, whole(missing) as missing_info, whole(job) as job_id, whole(event) as event_type, who as "user",
        whole(class) as scheduling_class, name as job_name, logical as logical_job_name, day_of(whole(t)) as day,
        (in_span(whole(t), {max_us}) and blank_or(missing, whole(missing)) and whole(job) is not null and whole(event) is not null
            and blank_or(class, whole(class)) and plain(who) and plain(name) and plain(logical)) is true as good
    from raw
)
select * from final
