/* Rules, and names. */
#include "redact.h"

#include <stdlib.h>
#include <string.h>

/* In this order: what an earlier one leaves is what the next one sees. A name in a rule for secrets may be part of a
 * word (wifi_psk); what follows it goes to the end of its line, for a passphrase has spaces. */
static const struct {
    const char *pattern, *replacement;
} rules[] = {
    {"(?im)(pass(?:word|phrase|wd)|psk|secret|token|(?:recovery|private|volume)[ _-]?key)(\"?\\s*[=:]\\s*)\\S.*$",
     "\\1\\2(left out)"},
    {"(?i)(serial(?: ?number)?)(\\s*[=:]\\s*)\\S+", "\\1\\2(left out)"},
    {"(?i)\\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\\b", "(uuid)"},
    {"(?i)\\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\\b", "(mac)"},
    {"(?i)(?<![\\w:.])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}(?![\\w:.])", "(address)"},
    {"(?i)(?<![\\w:.])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?(?![\\w:])",
     "(address)"},
    {"\\b\\d{1,3}(?:\\.\\d{1,3}){3}\\b(?![.-])", "(address)"},
};

struct redaction {
    GPtrArray *rules;  /* GRegex, as above */
    GHashTable *words; /* of each name */
    GHashTable *kinds; /* how many each has */
};

struct redaction *redaction_new(void)
{
    struct redaction *redaction = g_new0(struct redaction, 1);
    redaction->rules = g_ptr_array_new_with_free_func((GDestroyNotify)g_regex_unref);
    for (guint i = 0; i < G_N_ELEMENTS(rules); i++)
        g_ptr_array_add(redaction->rules, g_regex_new(rules[i].pattern, G_REGEX_OPTIMIZE, 0, NULL));
    redaction->words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    redaction->kinds = g_hash_table_new(g_str_hash, g_str_equal);
    return redaction;
}

void redaction_free(struct redaction *redaction)
{
    g_ptr_array_unref(redaction->rules);
    g_hash_table_unref(redaction->words);
    g_hash_table_unref(redaction->kinds);
    g_free(redaction);
}

void redaction_name(struct redaction *redaction, const char *kind, const char *name)
{
    if (!*name || g_hash_table_contains(redaction->words, name))
        return;
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(redaction->kinds, kind)) + 1;
    g_hash_table_insert(redaction->kinds, (gpointer)kind, GUINT_TO_POINTER(number));
    g_hash_table_insert(redaction->words, g_strdup(name), g_strdup_printf("%s-%u", kind, number));
}

/* What is printed must not be able to do anything to the terminal that shows it. */
static GString *plain(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);
    gsize line = 0;
    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar letter = g_utf8_get_char(at);
        line = letter == '\n' ? 0 : line + 1;
        if (line == REDACT_LINE_MAX)
            g_string_append(out, " ...");
        if (line >= REDACT_LINE_MAX || letter == '\r')
            continue;
        if (letter == '\n' || letter == '\t' || g_unichar_isprint(letter))
            g_string_append_unichar(out, letter);
        else
            g_string_append_printf(out, "\\x%02x", letter);
    }
    return out;
}

static gint longest_first(gconstpointer a, gconstpointer b)
{
    gsize left = strlen(*(char *const *)a), right = strlen(*(char *const *)b);
    return left < right ? 1 : left > right ? -1 : 0;
}

/* Any of them where it is no part of a word: the longest first, for one may be part of another. */
static GRegex *any_name(const struct redaction *redaction)
{
    g_autoptr(GString) pattern = g_string_new("(?<!\\w)(?:");
    guint count;
    g_autofree char **names = (char **)g_hash_table_get_keys_as_array(redaction->words, &count);
    qsort(names, count, sizeof(*names), longest_first);
    for (guint i = 0; i < count; i++) {
        g_autofree char *escaped = g_regex_escape_string(names[i], -1);
        g_string_append_printf(pattern, "%s%s", i ? "|" : "", escaped);
    }
    g_string_append(pattern, ")(?!\\w)");
    return count ? g_regex_new(pattern->str, G_REGEX_OPTIMIZE, 0, NULL) : NULL;
}

static gboolean add_word(const GMatchInfo *found, GString *out, gpointer data)
{
    const struct redaction *redaction = data;
    g_autofree char *name = g_match_info_fetch(found, 0);
    g_string_append(out, g_hash_table_lookup(redaction->words, name));
    return FALSE;
}

char *redact(const struct redaction *redaction, const char *text)
{
    char *now = g_string_free(plain(text), FALSE);
    for (guint i = 0; i < redaction->rules->len; i++) {
        char *next = g_regex_replace(g_ptr_array_index(redaction->rules, i), now, -1, 0, rules[i].replacement, 0, NULL);
        g_free(now);
        now = next;
    }
    g_autoptr(GRegex) names = any_name(redaction);
    g_autofree char *unnamed = now;
    return names ? g_regex_replace_eval(names, unnamed, -1, 0, 0, add_word, (gpointer)redaction, NULL)
                 : g_steal_pointer(&unnamed);
}
