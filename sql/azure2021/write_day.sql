-- Canonical calls of one day. Grain: one row a call. Inputs: the unsorted pieces of the day; drawn_memory, drawn_trigger.
-- Columns: app_id, function_id, arrival_us, duration_us, memory_mb (drawn per app), trigger (drawn per function).
with pieces as (
    select app_id, function_id, arrival_us, duration_us from read_parquet({pieces})
),
final as (
    select p.app_id, p.function_id, p.arrival_us, p.duration_us, m.memory_mb, t.trigger
    from pieces p join drawn_memory m using (app_id) join drawn_trigger t using (function_id)
)
select * from final
order by app_id, arrival_us, function_id, duration_us
