-- Calls of all functions by minute. Grain: one row per day and minute with calls. Input: {minute_counts} of all days.
-- Columns: day, minute, calls, cells (functions with calls).
with final as (
    select day, minute, sum(calls)::bigint as calls, count(*) as cells
    from read_parquet({minute_counts}, hive_partitioning = true, hive_types = {{'day': bigint}})
    group by all
)
select * from final
order by day, minute
