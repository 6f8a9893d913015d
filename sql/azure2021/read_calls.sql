-- Second pass over one raw file. Grain: one row a call, unsorted. Inputs: {file} raw CSV; {max_duration_s}, {max_arrival_us};
-- enums app_text and function_text (the ids of the file, in order); variables app_codes and function_codes (for each of their values
-- its code in known_app, known_function). As an enum, an id is one small integer from the parser on.
-- Columns: app_code, function_code, arrival_us, duration_us, day (-1 where the row fails a check).
with raw as (
    select enum_code(app)::integer + 1 as a, enum_code(func)::integer + 1 as f,
        round(end_timestamp * 1e6)::bigint as end_us, round(duration * 1e6)::bigint as duration_us, duration
    from read_csv({file}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', strict_mode = true,
        columns = {{'app': 'app_text', 'func': 'function_text', 'end_timestamp': 'DOUBLE', 'duration': 'DOUBLE'}})
),
calls as (
    select getvariable('app_codes')[a] as app_code, getvariable('function_codes')[f] as function_code,
        end_us - duration_us as arrival_us, duration_us, duration
    from raw
),
final as (
    select app_code, function_code, arrival_us, duration_us,
        case when (arrival_us >= 0 and arrival_us < {max_arrival_us} and duration >= 0 and duration <= {max_duration_s}) is true
            then arrival_us // 86400000000 else -1 end as day
    from calls
)
select * from final
