#include "json.h"

static void append(GString *text, const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value, -1);
    g_string_append_c(text, '"');
    for (const char *at = valid; *at; at++) {
        if (*at == '"' || *at == '\\')
            g_string_append_c(text, '\\');
        if ((guchar)*at < ' ' || *at == 0x7f)
            g_string_append_printf(text, "\\u%04x", (guchar)*at);
        else
            g_string_append_c(text, *at);
    }
    g_string_append_c(text, '"');
}

static void append_name(GString *text, const char *member)
{
    g_string_append(text, ", ");
    append(text, member);
    g_string_append(text, ": ");
}

void json_begin(GString *text, const char *record)
{
    g_string_append(text, "{\"record\": ");
    append(text, record);
}

void json_text(GString *text, const char *member, const char *value)
{
    append_name(text, member);
    append(text, value);
}

void json_number(GString *text, const char *member, gint64 value)
{
    append_name(text, member);
    g_string_append_printf(text, "%" G_GINT64_FORMAT, value);
}

void json_truth(GString *text, const char *member, gboolean value)
{
    append_name(text, member);
    g_string_append(text, value ? "true" : "false");
}

void json_end(GString *text)
{
    g_string_append(text, "}\n");
}
