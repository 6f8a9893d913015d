-- Job submissions of Google 2011 by hour and scheduling class. Grain: one row per hour and class. Parameter: {job_events} file pattern.
-- Columns: hour, scheduling_class, jobs.
with final as (
    select time_us // 3600000000 as hour, scheduling_class, count(*) as jobs
    from read_parquet({job_events})
    where event_type = 0 and time_us > 0 and time_us < 9223372036854775807
    group by all
)
select * from final
order by hour, scheduling_class
