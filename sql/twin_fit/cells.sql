-- Use of the eight Google cells, slots that all cells have.
-- grain: one cell and 5-minute slot
-- inputs: {files} = glob of data/staged/google2019/day=*/utilisation.parquet
-- columns: cell VARCHAR; slot INTEGER; cpu_used DOUBLE (NCU); memory_used DOUBLE (NMU)
with utilisation as (
    select * from read_parquet({files})
),
whole_slots as (
    select slot from utilisation group by slot having count(distinct cell) = 8
),
final as (
    select utilisation.cell, utilisation.slot, utilisation.cpu_used, utilisation.memory_used
    from utilisation
    inner join whole_slots on utilisation.slot = whole_slots.slot
)
select cell, slot, cpu_used, memory_used
from final
order by cell, slot;
