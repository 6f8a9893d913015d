-- Calls of every function over the staged days. Grain: one row per app and function. Input: {invocations} of all days.
-- Columns: app_id, function_id, invocations, memory_mb and trigger (sampled by id, hence one value each).
with invocations as (
    select app_id, function_id, memory_mb, trigger from read_parquet({invocations}, hive_partitioning = false)
),
final as (
    select app_id, function_id, count(*) as invocations, any_value(memory_mb) as memory_mb, any_value(trigger) as trigger
    from invocations
    group by app_id, function_id
)
select * from final
