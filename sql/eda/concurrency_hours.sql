-- Concurrency of all apps by hour. Grain: one row per hour with activity. Parameters: {features}; {step_us}; {steps} steps per hour.
-- Columns: hour, mean (over the hour), most (highest mean of one step).
with steps as (
    select step, sum(busy_us)::bigint as busy_us from read_parquet({features}) group by all
),
final as (
    select step // {steps} as hour, sum(busy_us)::double / ({steps}::bigint * {step_us}) as mean, max(busy_us)::double / {step_us} as most
    from steps
    group by all
)
select * from final
order by hour
