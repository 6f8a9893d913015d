-- Calls of one day. Grain: one row per call. Inputs: {sampled} calls by the position of their function; known_functions of the day.
-- Columns: app_id, function_id, arrival_us and duration_us (sampled), memory_mb, trigger.
with sampled as (
    select * from read_parquet({sampled}, hive_partitioning = false)
),
final as (
    select f.app_id, f.function_id, d.arrival_us, d.duration_us, f.memory_mb, f.trigger
    from sampled d join known_functions f using (position)
)
select * from final
order by app_id, arrival_us, function_id, duration_us, memory_mb, trigger
