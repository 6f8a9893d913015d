-- One table of one day, sorted by all its columns. Grain: that of the table. Input: {pieces} unsorted pieces of the day.
-- Columns: those of read_<table>.sql without day and good.
with final as (
    select * from read_parquet({pieces}, hive_partitioning = false)
)
select * from final
order by all
