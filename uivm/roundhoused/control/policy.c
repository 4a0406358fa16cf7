/* roundhousectl policy: what is in force, why, what it denied; and another one, checked and put in force. */
#include "control.h"
#include "model.h"

#include <string.h>

/* The table of a policy's text; NULL, after its mistakes went to standard error. */
static GByteArray *compile(const char *path, GError **error)
{
    struct policy *policy = policy_read(path);
    GByteArray *table = policy_compile(policy);
    for (guint i = 0; i < policy->messages->len; i++)
        g_printerr("%s\n", (const char *)policy->messages->pdata[i]);
    policy_free(policy);
    if (!table)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s is no policy that can be used.", path);
    return table;
}

static gboolean check(struct control *control, GError **error)
{
    g_autoptr(GByteArray) table = compile(control->words[1], error);
    if (!table)
        return FALSE;
    g_print("%s is good, %u bytes as a table\n", control->words[1], table->len);
    return TRUE;
}

static gboolean load(struct control *control, GError **error)
{
    g_autoptr(GByteArray) table = compile(control->words[1], error);
    if (!table)
        return FALSE;
    GVariant *bytes = g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, table->data, table->len, 1);
    g_autoptr(GVariant) answer = control_call(control->manager, "PolicyLoad", g_variant_new("(@ay)", bytes), error);
    return answer != NULL;
}

static gboolean status(struct control *control, GError **error)
{
    const char *name = rh_manager1_get_policy(control->manager);
    const char *const *problems = rh_manager1_get_problems(control->manager);
    (void)error;
    for (gsize i = 0; problems && problems[i]; i++)
        g_printerr("%s\n", problems[i]);
    g_print("%s\n", name && *name ? name : "no policy is in force");
    return TRUE;
}

static const char *text_of(GVariant *entry, const char *key)
{
    const char *text = "";
    g_variant_lookup(entry, key, "&s", &text);
    return text;
}

static void print_entry(GVariant *entry)
{
    guint64 last = 0;
    guint count = 1;
    g_variant_lookup(entry, "last", "t", &last);
    g_variant_lookup(entry, "count", "u", &count);
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local((gint64)last);
    g_autofree char *when = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
    g_autofree char *times = count > 1 ? g_strdup_printf(" (%u times)", count) : g_strdup("");
    g_print("%s %s: %s to %s %s: %s%s\n", when, text_of(entry, "outcome"), text_of(entry, "subject"),
            text_of(entry, "verb"), text_of(entry, "object"), text_of(entry, "rule"), times);
}

static gboolean tell_log(struct control *control, GError **error)
{
    g_autoptr(GVariant) answer = control_call(control->manager, "PolicyLog", NULL, error);
    if (!answer)
        return FALSE;
    g_autoptr(GVariant) entries = g_variant_get_child_value(answer, 0);
    if (control->json) {
        json_print(entries);
        return TRUE;
    }
    for (gsize i = 0; i < g_variant_n_children(entries); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(entries, i);
        print_entry(entry);
    }
    return TRUE;
}

static gboolean explain(struct control *control, GError **error)
{
    char **words = control->words;
    const char *object = words[3] ? words[3] : "";
    g_autoptr(GVariant) answer =
        control_call(control->manager, "PolicyExplain", g_variant_new("(sss)", words[1], words[2], object), error);
    if (!answer)
        return FALSE;
    g_autoptr(GVariant) entry = g_variant_get_child_value(answer, 0);
    if (control->json)
        json_print(entry);
    else
        g_print("%s%s%s\n", text_of(entry, "effect"), *text_of(entry, "rule") ? ": " : "", text_of(entry, "rule"));
    return TRUE;
}

gboolean control_policy(struct control *control, GError **error)
{
    static const struct {
        const char *name;
        guint min, max; /* words behind it */
        const char *arguments;
        gboolean (*run)(struct control *control, GError **error);
        gboolean json;
    } rows[] = {
        {"status", 0, 0, "", status, FALSE},
        {"log", 0, 0, "", tell_log, TRUE},
        {"explain", 2, 3, " SUBJECT VERB [OBJECT]", explain, TRUE},
        {"check", 1, 1, " FILE", check, FALSE},
        {"load", 1, 1, " FILE", load, FALSE},
    };
    guint count = g_strv_length(control->words + 1);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (!g_str_equal(rows[i].name, control->words[0]))
            continue;
        if (count >= rows[i].min && count <= rows[i].max && (rows[i].json || !control->json))
            return rows[i].run(control, error);
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "It is \"roundhousectl policy %s%s\"%s.",
                    rows[i].name, rows[i].arguments, rows[i].json ? "" : ", without --json");
        return FALSE;
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                "It is one of \"roundhousectl policy status\", log, explain, check and load.");
    return FALSE;
}
