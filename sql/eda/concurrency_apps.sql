-- Concurrency of each app. Grain: one row per app. Parameter: {features} list of files.
-- Columns: app_id, most (highest concurrency in any step), busy_us, active_steps.
with final as (
    select app_id, max(concurrency_max) as most, sum(busy_us)::bigint as busy_us, count(*) as active_steps
    from read_parquet({features})
    group by all
)
select * from final
order by most desc, app_id
