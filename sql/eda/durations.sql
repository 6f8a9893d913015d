-- Durations counted on their 1 ms grid. Grain: one row a distinct duration. Input: {calls}.
with calls as (select * from read_parquet({calls})),
final as (select duration_us, count(*) as calls from calls group by all)
select * from final
order by duration_us
