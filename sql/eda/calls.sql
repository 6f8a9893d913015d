-- Calls of the window, times from its start. Grain: one row per call. Parameters: {invocations} file pattern; {first_us}, {end_us} the window.
-- Columns: app_id, function_id, arrival_us, duration_us, memory_mb, trigger. Unordered: every reader aggregates.
with final as (
    select app_id, function_id, arrival_us - {first_us} as arrival_us, duration_us, memory_mb, trigger
    from read_parquet({invocations})
    where arrival_us >= {first_us} and arrival_us < {end_us}
)
select * from final
