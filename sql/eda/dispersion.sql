-- Sums for the dispersion of calls a minute. Grain: one row an app. Input: view calls.
-- Columns: app_id, calls, calls_squared (sum over minutes of the squared count), busiest_minute.
with minutes as (
    select app_id, arrival_us // 60000000 as minute, count(*) as n from calls group by all
),
final as (
    select app_id, sum(n)::bigint as calls, sum(n * n)::bigint as calls_squared, max(n) as busiest_minute
    from minutes
    group by all
)
select * from final
order by calls desc, app_id
