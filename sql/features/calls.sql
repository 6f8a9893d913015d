-- Calls of the window with dense function numbers. Grain: one row a call. Inputs: staged invocations, functions of the source.
-- Parameters: {invocations}, {functions} file patterns; {first_us}, {end_us} the window; times restart at 0 in the window.
-- Columns: app_id, function_index (0.. in order of id), arrival_us, duration_us, memory_mb.
with calls as (
    select * from read_parquet({invocations})
    where arrival_us >= {first_us} and arrival_us < {end_us}
),
functions as (
    select app_id, function_id, row_number() over (order by app_id, function_id) - 1 as function_index
    from read_parquet({functions})
),
final as (
    select c.app_id, f.function_index, c.arrival_us - {first_us} as arrival_us, c.duration_us, c.memory_mb
    from calls c join functions f using (app_id, function_id)
)
select * from final
order by app_id, arrival_us, function_index, duration_us
