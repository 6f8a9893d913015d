-- All apps of the staged days. Grain: one row per app. Inputs: {ids} and {minute_counts} of all days.
-- Columns: app_id, app (64 hex digits), functions, invocations, memory_mb (of its last day).
with ids as (
    select app_id, function_id, app, memory_mb, day from read_parquet({ids}, hive_partitioning = true, hive_types = {{'day': bigint}})
),
apps as (
    select app_id, app, count(distinct function_id) as functions, arg_max(memory_mb, day)::integer as memory_mb from ids group by all
),
calls as (
    select app_id, sum(calls)::bigint as invocations from read_parquet({minute_counts}, hive_partitioning = false) group by all
),
final as (
    select a.app_id, a.app, a.functions, coalesce(c.invocations, 0) as invocations, a.memory_mb
    from apps a left join calls c using (app_id)
)
select * from final
order by all
