-- All apps of the staged days. Grain: one row per app. Inputs: {ids} of all days, temp table function_calls.
-- Columns: app_id, app (64 hex digits), functions, invocations, memory_mb (sampled).
with ids as (
    select distinct app_id, app from read_parquet({ids}, hive_partitioning = false)
),
calls as (
    select app_id, memory_mb, count(*) as functions, sum(invocations)::bigint as invocations
    from function_calls
    group by all
),
final as (
    select i.app_id, i.app, c.functions, c.invocations, c.memory_mb
    from ids i join calls c using (app_id)
)
select app_id, app, functions, invocations, memory_mb
from final
order by app_id, app, memory_mb
