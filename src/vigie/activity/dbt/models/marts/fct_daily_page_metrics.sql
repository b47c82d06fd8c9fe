{{ config(partition_by={'field': 'activity_date', 'data_type': 'date'} if target.type == 'bigquery' else none) }}

select
    {{ day_key('page') }} as page_day,
    activity_date,
    page,
    count(*) as events,
    {{ count_where('is_bot') }} as bot_events,
    count(distinct user_id) as users,
    count(distinct session_id) as sessions
from {{ ref('stg_user_activity') }}
group by activity_date, page
