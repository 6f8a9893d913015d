-- Machine shapes of Google 2011. Grain: one row a shape (machines added at time 0). Parameter: {machine_events} file pattern.
-- Columns: cpu, memory (normalised capacity; null: not stated), machines.
with final as (
    select cpus as cpu, memory, count(distinct machine_id) as machines
    from read_parquet({machine_events})
    where event_type = 0
    group by all
)
select * from final
order by machines desc, cpu, memory
