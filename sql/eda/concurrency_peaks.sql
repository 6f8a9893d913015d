-- Highest number of calls that run at one moment, by hour. Grain: one row per hour of the window. Input: view calls. Parameter: {hours}.
-- A zero-length event at every full hour carries the level over the border; ends come before starts at the same instant.
-- Columns: hour, most.
with events as (
    select arrival_us as at_us, 1 as change from calls
    union all
    select arrival_us + duration_us, -1 from calls
    union all
    select hour * 3600000000, 0 from range({hours}) as hours(hour)
),
merged as (
    select at_us, change, sum(count(*) * change) over (order by at_us, change rows unbounded preceding) as running
    from events
    group by at_us, change
),
final as (
    select at_us // 3600000000 as hour, max(running)::bigint as most
    from merged
    where at_us // 3600000000 < {hours}
    group by all
)
select * from final
order by hour
