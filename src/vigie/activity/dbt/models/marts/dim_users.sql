{{ config(materialized='table') }}

select
    user_id,
    {{ dbt.bool_or('is_bot') }} as is_bot,
    min(first_event_at) as first_seen_at,
    max(last_event_at) as last_seen_at,
    count(*) as active_days,
    sum(events) as events
from {{ ref('fct_daily_user_metrics') }}
group by user_id
