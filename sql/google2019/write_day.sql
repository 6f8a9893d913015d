-- Utilisation of one day. Grain: one row a cell and slot. Inputs: the unsorted pieces of the day, cell capacities (drawn).
-- Columns: cell, slot, cpu_used (NCU), memory_used (NMU), cpu_fraction, memory_fraction (of the drawn capacity).
with pieces as (
    select * from read_parquet({pieces})
),
capacities as (
    select * from cell_capacities
),
final as (
    select p.cell, p.slot, p.cpu_used, p.memory_used,
        p.cpu_used / c.capacity_ncu as cpu_fraction, p.memory_used / c.capacity_nmu as memory_fraction
    from pieces p join capacities c using (cell)
)
select * from final
order by cell, slot
