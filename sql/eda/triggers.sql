-- Trigger mix. Grain: one row per trigger. Input: view calls. Columns: trigger, functions, calls.
with functions as (
    select app_id, function_id, trigger, count(*) as calls from calls group by all
),
final as (
    select trigger, count(*) as functions, sum(calls)::bigint as calls from functions group by all
)
select * from final
order by calls desc, trigger
