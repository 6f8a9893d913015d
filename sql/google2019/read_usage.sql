-- Usage rows of one file, typed. Grain: one row of the file.
-- Parameters: {rows} relation of the file; {is_row} whether a line of it is a row; an expression of text (null or '' where the row has
-- none) for {start_time}, {end_time}, {alloc}, {cpus}, {memory}, {cell}; {path_cell} text of the cell that the path names, or null;
-- {first_us}, {limit_us} bounds of the trace; {window_us} longest window; {most} largest use of one instance.
-- Columns: cell, start_us, end_us, cpu_pico and memory_pico (1e-12 NCU, NMU), is_inside_alloc, good (false: not usable).
with raw as (
    select * from {rows}
),
texts as (
    select {is_row} as is_row, {start_time} as start_text, {end_time} as end_text, nullif({alloc}, '') as alloc_text,
        {cpus} as cpu_text, {memory} as memory_text, nullif({cell}, '') as cell_text
    from raw
),
typed as (
    select is_row, usage_time(start_text) as start_us, usage_time(end_text) as end_us, usage_measure(cpu_text) as cpu,
        usage_measure(memory_text) as memory, cell_text, alloc_text, coalesce(usage_cell(cell_text), {path_cell}) as cell,
        coalesce(usage_time(alloc_text), 0) as alloc
    from texts
),
judged as (
    select *, coalesce(is_row and cell is not null and (alloc_text is null or usage_time(alloc_text) is not null)
        and (cell_text is null or (usage_cell(cell_text) is not null and cell = coalesce({path_cell}, cell)))
        and cpu between 0 and {most} and memory between 0 and {most}
        and start_us = trunc(start_us) and end_us = trunc(end_us)
        and start_us >= {first_us} and end_us > start_us and end_us <= {limit_us} and end_us - start_us <= {window_us}, false) as good
    from typed
),
final as (
    select cell, good,
        case when good then cast(start_us as bigint) end as start_us, case when good then cast(end_us as bigint) end as end_us,
        case when good then cast(round(cpu * 1e12) as bigint) end as cpu_pico,
        case when good then cast(round(memory * 1e12) as bigint) end as memory_pico, alloc <> 0 as is_inside_alloc
    from judged
)
select * from final
