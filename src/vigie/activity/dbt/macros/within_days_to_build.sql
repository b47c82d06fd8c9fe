{#- Whether a row is of a day that this build takes: the var `day` and the `days_back` before it, or any day. The
    bounds are constants of the column's own type, so that partitions of other days are not even opened. -#}
{% macro within_days_to_build(column, type=none) -%}
    {%- set day = var('day', none) -%}
    {%- if day is none -%}
        true
    {%- else -%}
        {%- set type = type or dbt.type_timestamp() -%}
        {%- set last = modules.datetime.date.fromisoformat(day | string) -%}
        {%- set first = last - modules.datetime.timedelta(days=var('days_back') | int) -%}
        {%- set after = last + modules.datetime.timedelta(days=1) -%}
        {{ column }} >= cast('{{ first }}' as {{ type }}) and {{ column }} < cast('{{ after }}' as {{ type }})
    {%- endif -%}
{%- endmacro %}
