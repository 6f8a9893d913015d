-- Original ids of one day. Grain: one row per app and function. Inputs: {pieces} of the day; temp tables known_app, known_function.
-- Columns: app_id, function_id (first 15 hex digits as an integer), app, function (64 hex digits).
with pieces as (
    select distinct app_code, function_code from read_parquet({pieces}, hive_partitioning = false)
),
final as (
    select ('0x' || a.text[:15])::bigint as app_id, ('0x' || f.text[:15])::bigint as function_id, a.text as app, f.text as function
    from pieces p
    join known_app a on a.code = p.app_code
    join known_function f on f.code = p.function_code
)
select app_id, function_id, app, function
from final
order by app_id, function_id, app, function
