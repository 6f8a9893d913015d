-- Usage rows summed into five-minute slots, weighted by the time they share with the slot. Grain: one row per cell and slot.
-- Input: usage_rows (sql/google2019/read_usage.sql). Parameter: {first_us} trace time of slot 0. All sums are of integers.
-- Columns: cell, slot, cpu_pico_us and memory_pico_us (1e-12 NCU or NMU times us, of rows outside an alloc), windows (rows summed),
-- rows_summed and rows_inside_allocs (raw rows, counted where they begin).
with shares as (
    select *, cast(unnest(range((start_us - {first_us}) // 300000000, (end_us - 1 - {first_us}) // 300000000 + 1)) as integer) as slot
    from usage_rows
),
timed as (
    select *, slot = (start_us - {first_us}) // 300000000 as is_first,
        least(end_us, {first_us} + (slot + 1) * 300000000::bigint) - greatest(start_us, {first_us} + slot * 300000000::bigint) as shared_us
    from shares
),
final as (
    -- decimal, because Parquet has no integer of 128 bits
    select cell, slot,
        cast(coalesce(sum(cpu_pico::hugeint * shared_us) filter (where not is_inside_alloc), 0) as decimal(38, 0)) as cpu_pico_us,
        cast(coalesce(sum(memory_pico::hugeint * shared_us) filter (where not is_inside_alloc), 0) as decimal(38, 0)) as memory_pico_us,
        count(*) filter (where not is_inside_alloc) as windows,
        count(*) filter (where is_first and not is_inside_alloc) as rows_summed,
        count(*) filter (where is_first and is_inside_alloc) as rows_inside_allocs
    from timed
    group by cell, slot
)
select * from final
order by cell, slot
