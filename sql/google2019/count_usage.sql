-- What became of the usage rows that begin in one day. Grain: one row per cell. Parameter: {pieces} files of the day.
-- Columns: cell, rows_summed, rows_inside_allocs (contained in the row of their alloc, so not summed again).
with pieces as (
    select * from read_parquet({pieces})
),
final as (
    select cell, cast(sum(rows_summed) as bigint) as rows_summed, cast(sum(rows_inside_allocs) as bigint) as rows_inside_allocs
    from pieces
    group by cell
)
select * from final
order by cell
