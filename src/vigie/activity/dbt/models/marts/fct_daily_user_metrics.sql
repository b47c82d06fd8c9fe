{{ config(
    partition_by={'field': 'activity_date', 'data_type': 'date'} if target.type == 'bigquery' else none,
    cluster_by='user_id' if target.type == 'bigquery' else none
) }}

select
    {{ day_key('user_id') }} as user_day,
    activity_date,
    user_id,
    {{ dbt.bool_or('is_bot') }} as is_bot,
    count(*) as events,
    {{ count_where("action = 'view'") }} as views,
    {{ count_where("action = 'purchase'") }} as purchases,
    count(distinct session_id) as sessions,
    count(distinct page) as pages,
    count(distinct device) as devices,
    count(distinct {{ dbt.date_trunc('minute', 'event_timestamp') }}) as active_minutes,
    min(event_timestamp) as first_event_at,
    max(event_timestamp) as last_event_at
from {{ ref('stg_user_activity') }}
group by activity_date, user_id
