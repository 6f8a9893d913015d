-- Totals of one staged day, which is sorted, so that equal rows are neighbours. Grain: one row. Input: {invocations} of the day.
-- Columns: duration_us_sum, zero_durations, arrival_us_min, arrival_us_max, exact_duplicates (repeats beyond the first).
with calls as (
    select app_id, function_id, arrival_us, duration_us,
        lag(app_id) over () as a, lag(function_id) over () as f, lag(arrival_us) over () as t, lag(duration_us) over () as d
    from read_parquet({invocations}, hive_partitioning = false)
),
final as (
    select sum(duration_us) as duration_us_sum,
        count(*) filter (where duration_us = 0) as zero_durations,
        min(arrival_us) as arrival_us_min,
        max(arrival_us) as arrival_us_max,
        count(*) filter (where a = app_id and f = function_id and t = arrival_us and d = duration_us) as exact_duplicates
    from calls
)
select * from final
