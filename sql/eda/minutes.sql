-- Calls per app and minute. Grain: one row an app and minute that has calls. Input: {calls}.
with calls as (select * from read_parquet({calls})),
final as (select app_id, arrival_us // 60000000 as minute, count(*) as calls from calls group by all)
select * from final
order by app_id, minute
