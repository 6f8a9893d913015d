-- Original ids of one day. Grain: one row an app and function. Input: id pieces of the day.
-- Columns: app_id, function_id, app, function (64 hex digits).
with pieces as (
    select app_id, function_id, app, function from read_parquet({pieces}, hive_partitioning = false)
),
final as (
    select distinct app_id, function_id, app, function from pieces
)
select app_id, function_id, app, function
from final
order by app_id, function_id, app, function
