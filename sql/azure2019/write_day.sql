-- Calls of one day. Grain: one row a call. Inputs: {drawn} calls by the position of their function; known_functions of the day.
-- Columns: app_id, function_id, arrival_us and duration_us (drawn), memory_mb, trigger.
with drawn as (
    select * from read_parquet({drawn}, hive_partitioning = false)
),
final as (
    select f.app_id, f.function_id, d.arrival_us, d.duration_us, f.memory_mb, f.trigger
    from drawn d join known_functions f using (position)
)
select * from final
order by app_id, arrival_us, function_id, duration_us, memory_mb, trigger
