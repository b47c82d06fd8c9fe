-- A row is a day of this build on which a mart holds more events than staging does, or fewer.
with counts as (
    select 'fct_daily_user_metrics' as mart, activity_date, events
    from {{ ref('fct_daily_user_metrics') }}
    where {{ within_days_to_build('activity_date', 'date') }}
    union all
    select 'fct_daily_user_metrics' as mart, activity_date, -1 as events
    from {{ ref('stg_user_activity') }}
    union all
    select 'fct_daily_page_metrics' as mart, activity_date, events
    from {{ ref('fct_daily_page_metrics') }}
    where {{ within_days_to_build('activity_date', 'date') }}
    union all
    select 'fct_daily_page_metrics' as mart, activity_date, -1 as events
    from {{ ref('stg_user_activity') }}
    union all
    select 'fct_daily_edits' as mart, activity_date, changes as events
    from {{ ref('fct_daily_edits') }}
    where {{ within_days_to_build('activity_date', 'date') }}
    union all
    select 'fct_daily_edits' as mart, activity_date, -1 as events
    from {{ ref('stg_recent_changes') }}
)

select mart, activity_date, sum(events) as more_than_staging
from counts
group by mart, activity_date
having sum(events) <> 0
