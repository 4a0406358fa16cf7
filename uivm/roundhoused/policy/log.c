/*
 * A ring in memory. It goes to the disk as a whole, and not more often than once in some seconds: whoever is denied
 * something a thousand times a second costs an entry and no more. The file is a line for an entry, with tabs.
 */
#include "log.h"

#include <string.h>

#ifndef POLICY_LOG_WRITE_SECONDS
#define POLICY_LOG_WRITE_SECONDS 5
#endif
#define TEXTS     5 /* outcome, subject, verb, object, rule */
#define ENTRY_MAX 1200

struct entry {
    gint64 first, last; /* seconds since 1970 */
    guint count;
    char *texts[TEXTS];
};

struct policy_log {
    char *path;
    GQueue entries; /* struct entry, the newest at the tail */
    guint timer;
};

static const char *const text_names[TEXTS] = {"outcome", "subject", "verb", "object", "rule"};

static void entry_free(gpointer data)
{
    struct entry *entry = data;
    for (guint i = 0; i < TEXTS; i++)
        g_free(entry->texts[i]);
    g_free(entry);
}

static void push(struct policy_log *log, struct entry *entry)
{
    g_queue_push_tail(&log->entries, entry);
    if (g_queue_get_length(&log->entries) > POLICY_LOG_ENTRIES)
        entry_free(g_queue_pop_head(&log->entries));
}

/* ---- the file ---- */

static gboolean write_now(gpointer data)
{
    struct policy_log *log = data;
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    log->timer = 0;
    for (GList *link = log->entries.head; link; link = link->next) {
        const struct entry *e = link->data;
        g_string_append_printf(text, "%" G_GINT64_FORMAT "\t%" G_GINT64_FORMAT "\t%u", e->first, e->last, e->count);
        for (guint i = 0; i < TEXTS; i++)
            g_string_append_printf(text, "\t%s", e->texts[i]);
        g_string_append_c(text, '\n');
    }
    if (!g_file_set_contents_full(log->path, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                  &error))
        g_warning("The log of the policy cannot be written: %s", error->message);
    return G_SOURCE_REMOVE;
}

static void write_soon(struct policy_log *log)
{
    if (!log->timer)
        log->timer = g_timeout_add_seconds(POLICY_LOG_WRITE_SECONDS, write_now, log);
}

static gboolean is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            return FALSE;
    return TRUE;
}

static void read_line(struct policy_log *log, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, "\t", 0);
    guint64 first, last, count;
    gboolean good = strlen(line) < ENTRY_MAX && g_strv_length(parts) == 3 + TEXTS &&
                    g_ascii_string_to_unsigned(parts[0], 10, 0, G_MAXINT64, &first, NULL) &&
                    g_ascii_string_to_unsigned(parts[1], 10, 0, G_MAXINT64, &last, NULL) &&
                    g_ascii_string_to_unsigned(parts[2], 10, 1, G_MAXUINT, &count, NULL);
    for (guint i = 0; good && i < TEXTS; i++)
        good = is_plain(parts[3 + i]);
    if (!good)
        return;
    struct entry *entry = g_new0(struct entry, 1);
    *entry = (struct entry){.first = (gint64)first, .last = (gint64)last, .count = (guint)count};
    for (guint i = 0; i < TEXTS; i++)
        entry->texts[i] = g_strdup(parts[3 + i]);
    push(log, entry);
}

static void read_all(struct policy_log *log)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(log->path, FALSE, NULL);
    gsize length = file ? g_mapped_file_get_length(file) : 0;
    if (length == 0 || length > POLICY_LOG_ENTRIES * ENTRY_MAX)
        return;
    g_autofree char *text = g_strndup(g_mapped_file_get_contents(file), length);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    for (char **line = lines; *line; line++)
        read_line(log, *line);
}

/* ---- entries ---- */

static gboolean is_same(const struct entry *entry, const char *const *texts)
{
    for (guint i = 0; i < TEXTS; i++)
        if (!g_str_equal(entry->texts[i], texts[i]))
            return FALSE;
    return TRUE;
}

/* Not far back, so that what happens in turn is told once, and its order stays. */
static struct entry *find_same(struct policy_log *log, const char *const *texts)
{
    GList *link = log->entries.tail;
    for (guint i = 0; link && i < 32; i++, link = link->prev)
        if (is_same(link->data, texts))
            return link->data;
    return NULL;
}

void policy_log_add(struct policy_log *log, const struct policy_decision *decision, const char *outcome)
{
    const char *const texts[TEXTS] = {outcome, decision->subject, policy_verb_text(decision->verb), decision->object,
                                      decision->rule};
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    struct entry *entry = find_same(log, texts);
    if (entry) {
        entry->last = now;
        entry->count += entry->count < G_MAXUINT;
    } else {
        entry = g_new0(struct entry, 1);
        *entry = (struct entry){.first = now, .last = now, .count = 1};
        for (guint i = 0; i < TEXTS; i++)
            entry->texts[i] = g_strdup(texts[i]);
        push(log, entry);
    }
    write_soon(log);
}

GVariant *policy_log_entries(const struct policy_log *log)
{
    GVariantBuilder all;
    g_variant_builder_init(&all, G_VARIANT_TYPE("aa{sv}"));
    for (GList *link = log->entries.head; link; link = link->next) {
        const struct entry *e = link->data;
        g_variant_builder_open(&all, G_VARIANT_TYPE("a{sv}"));
        g_variant_builder_add(&all, "{sv}", "time", g_variant_new_uint64((guint64)e->first));
        g_variant_builder_add(&all, "{sv}", "last", g_variant_new_uint64((guint64)e->last));
        g_variant_builder_add(&all, "{sv}", "count", g_variant_new_uint32(e->count));
        for (guint i = 0; i < TEXTS; i++)
            g_variant_builder_add(&all, "{sv}", text_names[i], g_variant_new_string(e->texts[i]));
        g_variant_builder_close(&all);
    }
    return g_variant_builder_end(&all);
}

/* ---- life ---- */

struct policy_log *policy_log_new(const char *path)
{
    struct policy_log *log = g_new0(struct policy_log, 1);
    log->path = g_strdup(path);
    g_queue_init(&log->entries);
    read_all(log);
    return log;
}

void policy_log_free(struct policy_log *log)
{
    if (!log)
        return;
    if (log->timer) {
        g_source_remove(log->timer);
        write_now(log);
    }
    g_queue_clear_full(&log->entries, entry_free);
    g_free(log->path);
    g_free(log);
}
