/*
 * Why an answer is as it is: the rules that are about the question, in order, up to the one that decides.
 */
#include <stdio.h>
#include <string.h>

#include "questions.h"

bool policy_open(struct policy_compiled *c, const char *path)
{
    *c = (struct policy_compiled){.policy = policy_read(path)};
    c->bytes = policy_compile(c->policy);
    for (unsigned i = 0; i < c->policy->messages->len; i++)
        fprintf(stderr, "%s\n", (const char *)c->policy->messages->pdata[i]);
    if (c->bytes && policy_table_load(&c->table, c->bytes->data, c->bytes->len) == POLICY_LOADED)
        return true;
    policy_close(c);
    return false;
}

void policy_close(struct policy_compiled *c)
{
    if (c->bytes)
        g_byte_array_unref(c->bytes);
    policy_free(c->policy);
}

uint32_t policy_chain(const struct policy_table *t, uint32_t subject, unsigned verb, uint32_t object)
{
    const struct policy_file_verb *v = &t->verbs[verb];
    return t->cells[v->first_cell + t->subject_classes[verb * t->file->identities + subject] * v->object_classes +
                    t->object_classes[verb * t->file->identities + object]];
}

static void append_conditions(GString *text, const struct policy_file_step *s)
{
    const char *between = s->flags & POLICY_STEP_ONLY ? " only when " : " when ";
    for (unsigned i = 0; policy_conditions[i]; i++) {
        if (!((s->required | s->excluded) & 1U << i))
            continue;
        g_string_append_printf(text, "%s%s%s", between, s->excluded & 1U << i ? "not " : "", policy_conditions[i]);
        between = " and ";
    }
    if (s->from != s->until)
        g_string_append_printf(text, "%sbetween %02u:%02u and %02u:%02u", between, s->from / 60, s->from % 60,
                               s->until / 60, s->until % 60);
}

static void append_step(GString *text, const struct policy_file_step *s)
{
    g_string_append(text, policy_effects[s->effect]);
    append_conditions(text, s);
    if (s->remember == POLICY_UNTIL_GUEST_STOPS)
        g_string_append(text, ", remember until the guest stops");
    if (s->remember == POLICY_UNTIL_RESTART)
        g_string_append(text, ", remember until the laptop restarts");
    if (s->remember == POLICY_FOREVER)
        g_string_append(text, ", remember forever");
    if (s->remember == POLICY_FOR_SECONDS)
        g_string_append_printf(text, ", remember for %u minutes", s->seconds / 60);
}

char *policy_chain_text(const struct policy_table *t, uint32_t first)
{
    GString *text = g_string_new(NULL);
    for (const struct policy_file_step *s = &t->steps[first];; s++) {
        append_step(text, s);
        if (s->flags)
            return g_string_free(text, FALSE);
        g_string_append(text, ", otherwise ");
    }
}

static const char *phrase(const struct policy_compiled *c, uint32_t identity)
{
    return policy_identity(c->policy, identity)->phrase;
}

/* One space between words, and no articles, as the language has it. To be freed. */
static char *plain(const char *words)
{
    GString *text = g_string_new(NULL);
    char **parts = g_strsplit_set(words, " ", -1);
    for (unsigned i = 0; parts[i]; i++)
        if (*parts[i] && !policy_is_article(parts[i]))
            g_string_append_printf(text, "%s%s", text->len ? " " : "", parts[i]);
    g_strfreev(parts);
    return g_string_free(text, FALSE);
}

static void complain(const char *what, const char *words, const char *const *known)
{
    const char *nearest = policy_nearest(words, known);
    if (nearest)
        fprintf(stderr, "%s \"%s\"; did you mean \"%s\"?\n", what, words, nearest);
    else
        fprintf(stderr, "%s \"%s\"\n", what, words);
}

/* The number of an identity by its phrase or context; 0 after a message. */
static uint32_t read_identity(const struct policy_compiled *c, const char *words)
{
    char *wanted = plain(words);
    uint32_t found = policy_find(c->policy, wanted);
    if (!found) {
        const char *known[POLICY_MAX_IDENTITIES + 1] = {NULL};
        for (unsigned i = 1; i < c->policy->identities->len; i++)
            known[i - 1] = phrase(c, i);
        complain("the policy knows no", wanted, known);
    }
    g_free(wanted);
    return found;
}

static int read_verb(const char *words)
{
    const char *known[POLICY_VERB_LIMIT + 1] = {NULL};
    char *wanted = plain(words);
    unsigned count = 0;
    int found = -1;
    for (unsigned i = 0; i < policy_verb_count(); i++) {
        if (policy_verbs[i].known && !strcmp(policy_verbs[i].words, wanted))
            found = (int)i;
        if (policy_verbs[i].known)
            known[count++] = policy_verbs[i].words;
    }
    if (found < 0)
        complain("there is no verb", wanted, known);
    g_free(wanted);
    return found;
}

static void print_place(const struct policy_table *t, uint32_t rule)
{
    const struct policy_file_rule *r = &t->rules[rule];
    if (rule)
        printf("    %s:%u: %s\n", policy_table_string(t, r->file), r->line, policy_table_string(t, r->text));
    else
        printf("    %s\n", policy_table_string(t, r->text));
}

static void print_reasons(const struct policy_table *t, uint32_t first)
{
    const struct policy_file_step *s = &t->steps[first];
    for (;; s++) {
        print_place(t, s->rule);
        if (s->flags & POLICY_STEP_ONLY)
            printf("      which alone decides: denied whenever the condition does not hold\n");
        else if (!s->flags)
            printf("      and when that does not hold:\n");
        if (s->flags)
            return;
    }
}

int policy_explain(const char *path, const char *subject, const char *verb, const char *object)
{
    struct policy_compiled c;
    int status = 1;
    if (!policy_open(&c, path))
        return 1;
    uint32_t s = read_identity(&c, subject), o = object ? read_identity(&c, object) : policy_find(c.policy, "laptop");
    int v = read_verb(verb);
    if (s && o && v >= 0 && !object && policy_verb_names_object((unsigned)v)) {
        fprintf(stderr, "\"%s\" whom or what? Say it as the last argument.\n", verb);
    } else if (s && o && v >= 0) {
        uint32_t first = policy_chain(&c.table, s, (unsigned)v, o);
        char *text = policy_chain_text(&c.table, first);
        printf("%s to %s%s%s: %s\n", phrase(&c, s), policy_verbs[v].words,
               policy_verb_names_object((unsigned)v) ? " " : "",
               policy_verb_names_object((unsigned)v) ? phrase(&c, o) : "", text);
        print_reasons(&c.table, first);
        g_free(text);
        status = 0;
    }
    policy_close(&c);
    return status;
}
