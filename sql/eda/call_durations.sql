-- Durations in 60 logarithmic bins per decade. Grain: one row per bin. Input: view calls.
-- Columns: bin (floor of 60 log10 of the microseconds; null for zero durations), calls, longest_us.
with final as (
    select case when duration_us > 0 then floor(60 * log10(duration_us))::integer end as bin, count(*) as calls, max(duration_us) as longest_us
    from calls
    group by all
)
select * from final
order by bin nulls first
