-- The functions of one day with what is known of them. Grain: one row per app and function (their full ids). Inputs: unsorted pieces of the day:
-- {functions} one row per line, day_durations and day_memory (possibly empty).
-- Columns: app_id, function_id, app, function, trigger, memory_mb, p0 .. p100 (ms); null where no table has them.
with functions as (
    select app_id, function_id, app, function, min(trigger) as trigger
    from read_parquet({functions}, hive_partitioning = false)
    group by all
),
durations as (
    select app_id, function_id, max(p0) as p0, max(p1) as p1, max(p25) as p25, max(p50) as p50, max(p75) as p75, max(p99) as p99,
        max(p100) as p100
    from day_durations
    group by all
),
memory as (
    select app_id, max(memory_mb) as memory_mb from day_memory group by all
),
final as (
    select f.*, m.memory_mb, d.p0, d.p1, d.p25, d.p50, d.p75, d.p99, d.p100
    from functions f
    left join durations d using (app_id, function_id)
    left join memory m using (app_id)
)
select * from final
order by app_id, function_id, app, function
