-- How many rows of one file of counts are usable. Grain: one row. Inputs: {file} raw CSV, {columns} its columns, {cells} its minutes.
-- Columns: lines, bad (rows that fail a check).
with raw as (
    select * from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {columns})
),
checked as (
    select (regexp_full_match(owner, '[0-9a-f]{{64}}') and regexp_full_match(app, '[0-9a-f]{{64}}')
        and regexp_full_match(function, '[0-9a-f]{{64}}') and regexp_full_match(trigger, '[a-z]+')
        and len(list_filter({cells}, lambda x: (regexp_full_match(x, '[0-9]{{1,7}}')) is not true)) = 0) is true as good
    from raw
),
final as (
    select count(*) as lines, count(*) filter (where not good) as bad from checked
)
select * from final
