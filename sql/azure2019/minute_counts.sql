-- Counts above zero of one day. Grain: one row per app, function and minute. Input: {counts} unsorted pieces of the day.
-- Columns: app_id, function_id, minute (1..1440), calls.
with final as (
    select app_id, function_id, minute, sum(calls)::bigint as calls
    from read_parquet({counts}, hive_partitioning = false)
    group by all
)
select * from final
order by app_id, function_id, minute
