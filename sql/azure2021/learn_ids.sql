-- Ids of a file that this run has not met yet. Grain: one row an id. Inputs: temp table callers; {column} app or function.
-- Columns: text (64 hex digits), code (the next free integers, in order of the text).
with met as (
    select text from known_{column}
),
fresh as (
    select distinct {column} as text from callers where {column} not in (select text from met)
),
final as (
    select text, (select count(*) from met) + row_number() over (order by text) - 1 as code from fresh
)
select text, code
from final
order by code
