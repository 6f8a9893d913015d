-- All functions of the staged days. Grain: one row per app and function. Inputs: {ids} and {minute_counts} of all days.
-- Columns: app_id, function_id, function (64 hex digits), trigger (of its last day), invocations.
with ids as (
    select app_id, function_id, function, trigger, day from read_parquet({ids}, hive_partitioning = true, hive_types = {{'day': bigint}})
),
functions as (
    select app_id, function_id, function, arg_max(trigger, day) as trigger from ids group by all
),
calls as (
    select app_id, function_id, sum(calls)::bigint as invocations
    from read_parquet({minute_counts}, hive_partitioning = false)
    group by all
),
final as (
    select f.app_id, f.function_id, f.function, f.trigger, coalesce(c.invocations, 0) as invocations
    from functions f left join calls c using (app_id, function_id)
)
select * from final
order by all
