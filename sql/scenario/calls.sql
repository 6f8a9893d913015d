-- Calls of the window with dense numbers of apps and functions. Grain: one row per call. Inputs: {invocations}, a list of the files of its
-- days; {apps}, {functions}, the id tables of the source. Parameters: {first_us}, {end_us} the window; times restart at 0 in the window.
-- Columns: app (0.. in order of app_id), function (0.. in order of app_id, function_id), arrival_us, duration_us.
with calls as (
    select app_id, function_id, arrival_us, duration_us
    from read_parquet({invocations}, hive_partitioning = false)
    where arrival_us >= {first_us} and arrival_us < {end_us}
),
apps as (
    select app_id, row_number() over (order by app_id) - 1 as app
    from read_parquet({apps})
),
functions as (
    select app_id, function_id, row_number() over (order by app_id, function_id) - 1 as function
    from read_parquet({functions})
),
final as (
    select a.app, f.function, c.arrival_us - {first_us} as arrival_us, c.duration_us
    from calls c join apps a using (app_id) join functions f using (app_id, function_id)
)
select app, function, arrival_us, duration_us
from final
order by app, arrival_us, function, duration_us
