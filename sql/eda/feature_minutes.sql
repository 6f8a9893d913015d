-- Calls and busy time by minute from the feature table. Grain: one row for each app and minute with activity.
-- Parameters: {features} list of files; {steps} steps per minute. Columns: app_id, minute, calls, busy_us.
with final as (
    select app_id, step // {steps} as minute, sum(calls)::bigint as calls, sum(busy_us)::bigint as busy_us
    from read_parquet({features})
    group by all
)
select * from final
order by app_id, minute
