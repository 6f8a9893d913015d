-- Apps of the source in the order of their numbers. Grain: one row per app. Input: {apps}, its id table.
-- Columns: app (64 hex digits), memory_mb (sampled).
with apps as (
    select app_id, app, memory_mb from read_parquet({apps})
),
final as (
    select app_id, app, memory_mb from apps
)
select app, memory_mb
from final
order by app_id
