/*
 * A policy's own expectations: `policy "FILE"`, then sentences EFFECT SUBJECT to VERB OBJECT [when CONDITIONS] [at
 * HH:MM] about single guests, devices and so on. What is not said of the moment does not hold, and it is midnight.
 */
#include <stdio.h>
#include <string.h>

#include "questions.h"

struct expectation {
    enum policy_effect effect;
    uint32_t subject, object;
    unsigned verb;
    struct policy_moment moment;
};

static unsigned position_of(const struct policy_statement *s, unsigned from, const char *word)
{
    while (from < s->count && !policy_has(s, from, word))
        from++;
    return from;
}

/* `of`: the policy that is asked; `p`: the expectations, which hold the messages. */
static uint32_t read_identity(const struct policy_compiled *of, struct policy *p, const struct policy_statement *s,
                              unsigned from, unsigned until)
{
    char *words = policy_join(s, from, until);
    uint32_t found = policy_find(of->policy, words);
    if (!found)
        policy_error(p, s, from, NULL, "the policy knows no \"%s\" (one is meant here, not \"any\")", words);
    g_free(words);
    return found;
}

static bool read_moment(struct policy *p, const struct policy_statement *s, unsigned at, struct policy_moment *moment)
{
    struct policy_when when = {0};
    if (policy_has(s, at, "when") || policy_has(s, at, "while")) {
        at++;
        if (!policy_read_conditions(p, s, &at, &when))
            return false;
        if (when.from != when.until) {
            policy_error(p, s, at, NULL, "one moment is meant here: at 09:30");
            return false;
        }
    }
    moment->conditions = when.required;
    if (policy_has(s, at, "at") && at + 1 < s->count && policy_read_clock(s->words[at + 1].text, &moment->minute))
        at += 2;
    if (at != s->count)
        policy_error(p, s, at, NULL, "only \"when\" with conditions, and \"at\" with a time, may follow");
    return at == s->count;
}

static bool read_expectation(const struct policy_compiled *of, struct policy *p, const struct policy_statement *s,
                             struct expectation *e)
{
    unsigned effect = POLICY_EFFECTS, to = position_of(s, 1, "to"), at = to + 1;
    for (unsigned i = 0; i < POLICY_EFFECTS; i++)
        if (policy_has(s, 0, policy_effects[i]))
            effect = i;
    if (effect == POLICY_EFFECTS || to >= s->count) {
        policy_error(p, s, effect == POLICY_EFFECTS ? 0 : s->count, policy_effects,
                     "an expectation is: allow, deny or ask, who, \"to\", and what");
        return false;
    }
    int verb = policy_read_verb(s, &at);
    if (verb < 0) {
        policy_error(p, s, at, NULL, "there is no such verb; roundhouse-policy words lists them");
        return false;
    }
    unsigned end = MIN(MIN(position_of(s, at, "when"), position_of(s, at, "while")), position_of(s, at, "at"));
    e->effect = effect;
    e->verb = (unsigned)verb;
    e->subject = read_identity(of, p, s, 1, to);
    if (policy_verb_names_object(e->verb))
        e->object = read_identity(of, p, s, at, end);
    else
        e->object = policy_find(of->policy, "laptop");
    if (e->subject && !(policy_verbs[verb].subjects & 1U << policy_identity(of->policy, e->subject)->category))
        policy_error(p, s, 1, NULL, "this can never \"%s\"", policy_verbs[verb].words);
    return e->subject && e->object && read_moment(p, s, policy_verb_names_object(e->verb) ? end : at, &e->moment);
}

static void check(const struct policy_compiled *of, struct policy *p, const struct policy_statement *s)
{
    struct expectation e = {0};
    const unsigned before = p->messages->len;
    if (!read_expectation(of, p, s, &e) || p->messages->len != before)
        return;
    struct policy_answer a = policy_table_ask(&of->table, e.subject, e.verb, e.object, e.moment);
    if (a.effect == e.effect)
        return;
    const struct policy_file_rule *r = &of->table.rules[a.rule];
    policy_error(p, s, 0, NULL, "the answer is %s: %s:%u: %s", policy_effects[a.effect],
                 policy_table_string(&of->table, r->file), r->line, policy_table_string(&of->table, r->text));
}

/* The path in the first statement, from the folder of the expectations; NULL after a message. */
static char *policy_path(struct policy *p, const char *path)
{
    const struct policy_statement *s = p->statements->len ? p->statements->pdata[0] : NULL;
    if (!s || !policy_has(s, 0, "policy") || s->count != 2 || !s->words[1].quoted) {
        if (policy_is_good(p))
            g_ptr_array_add(p->messages,
                            g_strdup_printf("%s: begin with the policy that is meant: policy \"FILE\"", path));
        return NULL;
    }
    char *folder = g_path_get_dirname(path);
    char *found = g_path_is_absolute(s->words[1].text) ? g_strdup(s->words[1].text)
                                                       : g_build_filename(folder, s->words[1].text, NULL);
    g_free(folder);
    return found;
}

int policy_test(const char *path)
{
    struct policy *p = policy_read_statements(path);
    char *of_path = policy_path(p, path);
    struct policy_compiled of;
    if (of_path && policy_open(&of, of_path)) {
        for (unsigned i = 1; i < p->statements->len; i++)
            check(&of, p, p->statements->pdata[i]);
        if (policy_is_good(p))
            printf("%s: %u expectations hold\n", path, p->statements->len - 1);
        policy_close(&of);
    } else {
        g_ptr_array_add(p->messages, g_strdup_printf("%s: nothing was tried", path));
    }
    for (unsigned i = 0; i < p->messages->len; i++)
        fprintf(stderr, "%s\n", (const char *)p->messages->pdata[i]);
    int status = policy_is_good(p) ? 0 : 1;
    policy_free(p);
    g_free(of_path);
    return status;
}
