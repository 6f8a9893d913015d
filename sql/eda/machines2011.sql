-- Machine shapes of Google 2011. Grain: one row per shape; a machine counts once, with the shape it was first added with.
-- Parameter: {machine_events} file pattern. Columns: cpu, memory (normalised capacity; null: not stated), machines.
with added as (
    select machine_id, arg_min({{'cpu': cpus, 'memory': memory}}, (time_us, cpus, memory)) as shape
    from read_parquet({machine_events})
    where event_type = 0
    group by machine_id
),
final as (
    select shape.cpu as cpu, shape.memory as memory, count(*) as machines
    from added
    group by all
)
select * from final
order by machines desc, cpu, memory
