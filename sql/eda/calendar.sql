-- Volume by hour. Grain: one row for each hour of the window with a call. Input: view calls. Columns: day, hour, calls.
with final as (
    select arrival_us // 86400000000 as day, (arrival_us // 3600000000) % 24 as hour, count(*) as calls
    from calls
    group by all
)
select * from final
order by day, hour
