/*
 * What is wrong with a text, said so that it can be mended: where, what, and what was probably meant.
 */
#include <string.h>

#include "model.h"

/* How many letters are changed, too many, too few, or in each other's place; from `limit` on it says limit. */
static unsigned distance(const char *a, const char *b, unsigned limit)
{
    const size_t la = strlen(a), lb = strlen(b);
    unsigned row[3][POLICY_MAX_NAME + 2];
    if (la > POLICY_MAX_NAME || lb > POLICY_MAX_NAME)
        return limit;
    for (size_t j = 0; j <= lb; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *now = row[i % 3];
        const unsigned *before = row[(i + 2) % 3], *two_before = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            now[j] = MIN(MIN(now[j - 1], before[j]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = MIN(now[j], two_before[j - 2] + 1);
        }
    }
    return MIN(row[la % 3][lb], limit);
}

const char *policy_nearest(const char *word, const char *const *candidates)
{
    unsigned best = MAX(2U, (unsigned)strlen(word) / 3 + 1);
    const char *nearest = NULL;
    char *lower = g_ascii_strdown(word, -1);
    for (; candidates && *candidates; candidates++) {
        unsigned d = distance(lower, *candidates, best);
        if (d < best) {
            best = d;
            nearest = *candidates;
        }
    }
    g_free(lower);
    return nearest;
}

/* The line of a source, with a mark below the place: tabs stay tabs, so that the mark stands right. */
static void append_place(GString *text, const struct policy_source *source, unsigned line, unsigned column)
{
    const char *start = source->text;
    while (--line && (start = strchr(start, '\n')))
        start++;
    if (!start)
        return;
    size_t length = strcspn(start, "\n");
    if (length > 200)
        return;
    g_string_append_printf(text, "\n    %.*s\n    ", (int)length, start);
    for (const char *p = start; --column && p < start + length; p = g_utf8_next_char(p))
        g_string_append_c(text, *p == '\t' ? '\t' : ' ');
    g_string_append_c(text, '^');
}

static void add(struct policy *policy, const struct policy_source *source, unsigned line, unsigned column,
                const char *what)
{
    if (policy->messages->len - policy->warnings > POLICY_MAX_ERRORS)
        return;
    GString *text = g_string_new(NULL);
    if (policy->messages->len - policy->warnings == POLICY_MAX_ERRORS) {
        g_string_printf(text, "%s: there is more; mend these first", source->path);
    } else {
        g_string_printf(text, "%s:%u:%u: %s", source->path, line, column, what);
        append_place(text, source, line, column);
    }
    g_ptr_array_add(policy->messages, g_string_free(text, FALSE));
}

void policy_error_at(struct policy *policy, const struct policy_source *source, unsigned line, unsigned column,
                     const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    add(policy, source, line, column, what);
    g_free(what);
}

void policy_error(struct policy *policy, const struct policy_statement *statement, unsigned word,
                  const char *const *meant, const char *format, ...)
{
    const struct policy_word *at = &statement->words[MIN(word, statement->count)];
    const char *nearest = policy_nearest(at->text, meant);
    va_list arguments;
    va_start(arguments, format);
    GString *what = g_string_new(NULL);
    g_string_vprintf(what, format, arguments);
    va_end(arguments);
    if (nearest)
        g_string_append_printf(what, "; did you mean \"%s\"?", nearest);
    add(policy, statement->source, at->line, at->column, what->str);
    g_string_free(what, TRUE);
}

void policy_warning(struct policy *policy, const struct policy_rule *rule, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    GString *what = g_string_new("warning: ");
    g_string_append_vprintf(what, format, arguments);
    va_end(arguments);
    add(policy, rule->source, rule->line, rule->column, what->str);
    policy->warnings++;
    g_string_free(what, TRUE);
}

bool policy_is_good(const struct policy *policy)
{
    return policy->messages->len == policy->warnings;
}
