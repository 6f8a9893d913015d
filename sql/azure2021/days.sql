-- Days on which a trace has calls, and how long it is silent at most. Grain: one row per day. Input: {files}, as they are published;
-- {most_s}, {days}: limits of a plausible row. Columns: day, calls, last_us (arrival of its last call), silence_us (longest in the whole trace).
with rows as (
    select try_cast(end_timestamp as double) as end_s, try_cast(duration as double) as duration_s
    from read_csv({files}, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', ignore_errors = true,
        columns = {{'app': 'VARCHAR', 'func': 'VARCHAR', 'end_timestamp': 'VARCHAR', 'duration': 'VARCHAR'}})
    where regexp_full_match(app, '[0-9a-f]{{64}}') and regexp_full_match(func, '[0-9a-f]{{64}}')
),
calls as (
    select ((end_s - duration_s) * 1e6)::bigint as arrival_us
    from rows
    where duration_s between 0 and {most_s} and end_s - duration_s >= 0 and end_s - duration_s < {days} * 86400.0
),
gaps as (
    select arrival_us, arrival_us - lag(arrival_us) over (order by arrival_us) as gap_us from calls
),
final as (
    select arrival_us // 86400000000 as day, count(*) as calls, max(arrival_us) as last_us,
        (select coalesce(max(gap_us), 0) from gaps) as silence_us
    from gaps
    group by day
)
select day, calls, last_us, silence_us
from final
order by day
