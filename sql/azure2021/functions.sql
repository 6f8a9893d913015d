-- All functions of the staged days. Grain: one row per app and function. Inputs: {ids} of all days, temp table function_calls.
-- Columns: app_id, function_id, function (64 hex digits), trigger (sampled), invocations.
with ids as (
    select distinct app_id, function_id, function from read_parquet({ids}, hive_partitioning = false)
),
final as (
    select i.app_id, i.function_id, i.function, c.trigger, c.invocations
    from ids i join function_calls c using (app_id, function_id)
)
select app_id, function_id, function, trigger, invocations
from final
order by app_id, function_id, function, trigger
