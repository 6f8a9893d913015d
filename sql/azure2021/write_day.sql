-- Calls of one day. Grain: one row per call. Inputs: {pieces} of the day, unsorted; variables app_rank, function_rank (rank of an id for
-- each code) and app_ids, app_memory, function_ids, function_triggers (for each rank; memory and trigger are sampled).
-- Columns: app_id, function_id (first 15 hex digits as an integer), arrival_us, duration_us, memory_mb, trigger.
-- Ranks order as the ids do and sort faster; memory and trigger follow from the ids, so rows that tie in the key are equal.
with pieces as (
    select getvariable('app_rank')[app_code + 1] as a, getvariable('function_rank')[function_code + 1] as f, arrival_us, duration_us
    from read_parquet({pieces}, hive_partitioning = false)
),
final as (
    select a, f, arrival_us, duration_us
    from pieces
    order by a, arrival_us, f, duration_us
)
select getvariable('app_ids')[a] as app_id, getvariable('function_ids')[f] as function_id, arrival_us, duration_us,
    getvariable('app_memory')[a] as memory_mb, getvariable('function_triggers')[f] as trigger
from final
