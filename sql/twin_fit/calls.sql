-- Calls of the staged Azure 2021 trace, in the order in which gaps between calls of one app can be taken.
-- grain: one call
-- inputs: {files} = glob of data/staged/azure2021/day=*/invocations.parquet
-- columns: app_id, function_id BIGINT; arrival_us, duration_us BIGINT (us since trace start)
with invocations as (
    select * from read_parquet({files})
),
final as (
    select app_id, function_id, arrival_us, duration_us from invocations
)
select app_id, function_id, arrival_us, duration_us
from final
order by app_id, arrival_us, function_id, duration_us;
