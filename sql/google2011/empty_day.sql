-- A table of a day on which it has no row. Grain: none. Input: the text of read_<table>.sql over an empty file.
-- Columns: those of read_<table>.sql without day and good.
with final as (
    select * exclude (day, good) from ({read})
)
select * from final
limit 0
