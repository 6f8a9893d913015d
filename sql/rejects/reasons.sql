-- Why rows of a source were rejected. Grain: one row per reason, most rows first. Input: {rejects}, as ingest writes it.
-- Columns: reason, rows, file, line, row (of the first rejected row in the order of files and lines).
with rejects as (
    select file, line, reason, "row" from read_parquet({rejects})
),
final as (
    select reason, count(*) as rows, arg_min(file, (file, line)) as file, min_by(line, (file, line)) as line,
        min_by("row", (file, line)) as "row"
    from rejects
    group by reason
)
select reason, rows, file, line, "row"
from final
order by rows desc, reason
