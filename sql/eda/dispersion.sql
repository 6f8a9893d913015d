-- Sums for the dispersion of calls per step. Grain: one row per app. Input: view calls. Parameter: {step_us}.
-- Columns: app_id, calls, calls_squared (sum over steps of the squared count), busiest_step.
with steps as (
    select app_id, arrival_us // {step_us} as step, count(*) as n from calls group by all
),
final as (
    select app_id, sum(n)::bigint as calls, sum(n * n)::bigint as calls_squared, max(n) as busiest_step
    from steps
    group by all
)
select * from final
order by calls desc, app_id
