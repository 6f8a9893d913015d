-- Functions of the source in the order of their numbers. Grain: one row per function. Input: {functions}, its id table.
-- Columns: function (64 hex digits).
with functions as (
    select app_id, function_id, function from read_parquet({functions})
),
final as (
    select app_id, function_id, function from functions
)
select function
from final
order by app_id, function_id
