-- Utilisation by day. Grain: one row per cell and slot. Inputs: day_slots (cell, slot, cpu_used, memory_used), cell_capacities (sampled).
-- Columns: cell, slot, cpu_used (NCU), memory_used (NMU), cpu_fraction, memory_fraction (of the sampled capacity).
with slots as (
    select * from day_slots
),
capacities as (
    select * from cell_capacities
),
final as (
    select s.cell, s.slot, s.cpu_used, s.memory_used,
        s.cpu_used / c.capacity_ncu as cpu_fraction, s.memory_used / c.capacity_nmu as memory_fraction
    from slots s join capacities c using (cell)
)
select * from final
order by cell, slot
