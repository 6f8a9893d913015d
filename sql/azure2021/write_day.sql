-- Calls of one day. Grain: one row a call. Inputs: unsorted pieces of the day; app_memory and function_trigger (drawn).
-- Columns: app_id, function_id, arrival_us, duration_us, memory_mb, trigger.
with pieces as (
    select app_id, function_id, arrival_us, duration_us from read_parquet({pieces}, hive_partitioning = false)
),
final as (
    select p.app_id, p.function_id, p.arrival_us, p.duration_us, m.memory_mb, t.trigger
    from pieces p
    join app_memory m on m.app_id = p.app_id
    join function_trigger t on t.function_id = p.function_id
)
select app_id, function_id, arrival_us, duration_us, memory_mb, trigger
from final
order by app_id, arrival_us, function_id, duration_us, memory_mb, trigger
