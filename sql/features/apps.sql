-- Apps that call in the window. Grain: one row per app. Input: {invocations}, a list of the files of its days.
-- Columns: app_id, calls, last_us (arrival of the last call).
with calls as (
    select app_id, arrival_us from read_parquet({invocations}, hive_partitioning = false)
),
final as (
    select app_id, count(*) as calls, max(arrival_us) as last_us
    from calls
    group by app_id
)
select app_id, calls, last_us
from final
order by app_id
