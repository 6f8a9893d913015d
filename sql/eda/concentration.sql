-- Concentration. Grain: one row for each function. Input: view calls.
-- Columns: app_id, function_id, calls, busy_us, mb_us (memory times busy time; memory is sampled for 2021).
with final as (
    select app_id, function_id, count(*) as calls, sum(duration_us)::bigint as busy_us, sum(duration_us::hugeint * memory_mb)::double as mb_us
    from calls
    group by all
)
select * from final
order by app_id, function_id
