-- Totals of the source for ingest.json. Grain: one row. Input: {calls} staged invocations of all days.
with calls as (
    select * from read_parquet({calls})
),
distinct_calls as (
    select count(*) as n from (select distinct app_id, function_id, arrival_us, duration_us from calls)
),
final as (
    select
        count(distinct app_id) as apps,
        count(distinct (app_id, function_id)) as functions,
        sum(duration_us)::bigint as duration_us_sum,
        count(*) filter (where duration_us = 0) as zero_durations,
        min(arrival_us) as arrival_us_min,
        max(arrival_us) as arrival_us_max,
        count(*) - (select n from distinct_calls) as exact_duplicates
    from calls
)
select * from final
order by apps
