-- Calls by day and hour (UTC). Grain: one row a day and hour that has calls. Input: {calls} staged invocations.
with calls as (select * from read_parquet({calls})),
final as (
    select arrival_us // 86400000000 as trace_day, arrival_us // 3600000000 % 24 as hour, count(*) as calls
    from calls group by all
)
select * from final
order by trace_day, hour
