-- Calls of one raw file, typed. Grain: one row a call, in file order. Parameter: {file} CSV of the original schema.
-- Columns: app_id, function_id (first 15 hexadecimal digits of the ids; null: not 64 digits), app, function (prefix kept for the id tables),
-- arrival_us, duration_us. Times are rounded to the microsecond; arrival = end - duration.
with raw as (
    select *
    from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '', escape = '', strict_mode = true,
        columns = {{'app': 'VARCHAR', 'func': 'VARCHAR', 'end_timestamp': 'DOUBLE', 'duration': 'DOUBLE'}})
),
final as (
    select
        case when length(app) = 64 then try_cast('0x' || app[1:15] as bigint) end as app_id,
        case when length(func) = 64 then try_cast('0x' || func[1:15] as bigint) end as function_id,
        app, func as function,
        try_cast(round(end_timestamp * 1e6) as bigint) - try_cast(round(duration * 1e6) as bigint) as arrival_us,
        try_cast(round(duration * 1e6) as bigint) as duration_us
    from raw
)
select * from final
