-- Missing values of one staged table. Grain: one row per column. Parameter: {table} file pattern. Columns: column_name, missing, rows.
with final as (
    select column_name, null_count as missing, row_count as rows
    from (unpivot (select count(*) as row_count, {counts} from read_parquet({table})) on columns(* exclude row_count) into name column_name value null_count)
)
select * from final
order by column_name
