/*
 * What changes for whom from one policy to another. Guests and devices that only one of them names are looked up in the
 * other as it would meet them: by kind and label, or by class.
 */
#include <stdio.h>
#include <string.h>

#include "questions.h"

struct pair {
    const struct policy_compiled *before, *after;
};

/* The same one in another policy. */
static uint32_t counterpart(const struct policy_compiled *in, const struct policy_identity *id)
{
    uint32_t found = policy_table_by_context(&in->table, id->context);
    if (found)
        return found;
    if (id->category == POLICY_GUEST)
        return policy_table_guest(&in->table, id->name, id->class, id->label);
    if (id->category == POLICY_DEVICE)
        return policy_table_device(&in->table, id->class, id->vendor, id->model, id->port);
    return id->category == POLICY_NETWORK ? policy_find(in->policy, policy_classes[id->class].words) : 0;
}

/* "from -> to", or NULL if they are the same. */
static char *change(const struct pair *p, const struct policy_identity *s, unsigned verb,
                    const struct policy_identity *o)
{
    char *text[2], *result = NULL;
    for (unsigned i = 0; i < 2; i++) {
        const struct policy_compiled *c = i ? p->after : p->before;
        uint32_t subject = counterpart(c, s), object = counterpart(c, o);
        text[i] = policy_chain_text(&c->table, policy_chain(&c->table, subject, verb, object));
    }
    if (strcmp(text[0], text[1]))
        result = g_strdup_printf("%s -> %s", text[0], text[1]);
    g_free(text[0]);
    g_free(text[1]);
    return result;
}

/* Those of the one policy, and of the other what it has beside them. */
static GPtrArray *everybody(const struct pair *p)
{
    GPtrArray *all = g_ptr_array_new();
    for (unsigned i = 1; i < p->after->policy->identities->len; i++)
        g_ptr_array_add(all, (void *)policy_identity(p->after->policy, i));
    for (unsigned i = 1; i < p->before->policy->identities->len; i++) {
        const struct policy_identity *id = policy_identity(p->before->policy, i);
        if (!policy_table_by_context(&p->after->table, id->context))
            g_ptr_array_add(all, (void *)id);
    }
    return all;
}

struct change {
    char *what; /* "from -> to" */
    GString *objects;
    unsigned count;
};

static struct change *find(GArray *changes, char *what)
{
    for (unsigned i = 0; i < changes->len; i++) {
        struct change *known = &g_array_index(changes, struct change, i);
        if (!strcmp(known->what, what)) {
            g_free(what);
            return known;
        }
    }
    struct change added = {what, g_string_new(NULL), 0};
    g_array_append_val(changes, added);
    return &g_array_index(changes, struct change, changes->len - 1);
}

/* One line for each way in which the answers of one subject and verb change, with what they are about. */
static unsigned print_changes(const struct pair *p, const struct policy_identity *s, unsigned verb,
                              const GPtrArray *objects)
{
    GArray *changes = g_array_new(FALSE, FALSE, sizeof(struct change));
    unsigned possible = 0, lines;
    for (unsigned i = 0; i < objects->len; i++) {
        const struct policy_identity *o = objects->pdata[i];
        if (!(policy_verbs[verb].objects & 1U << o->category))
            continue;
        possible++;
        char *what = change(p, s, verb, o);
        if (!what)
            continue;
        struct change *c = find(changes, what);
        g_string_append_printf(c->objects, "%s%s", c->objects->len ? ", " : "", o->phrase);
        c->count++;
    }
    for (unsigned i = 0; i < changes->len; i++) {
        struct change *c = &g_array_index(changes, struct change, i);
        bool named = policy_verb_names_object(verb), all = c->count == possible;
        printf("%s to %s%s%s: %s\n", s->phrase, policy_verbs[verb].words, named ? " " : "",
               !named ? ""
               : all  ? "anything"
                      : c->objects->str,
               c->what);
        g_free(c->what);
        g_string_free(c->objects, TRUE);
    }
    lines = changes->len;
    g_array_free(changes, TRUE);
    return lines;
}

int policy_diff(const char *before, const char *after)
{
    struct policy_compiled a, b;
    if (!policy_open(&a, before))
        return 1;
    if (!policy_open(&b, after)) {
        policy_close(&a);
        return 1;
    }
    struct pair p = {&a, &b};
    GPtrArray *all = everybody(&p);
    unsigned lines = 0;
    for (unsigned i = 0; i < all->len; i++)
        for (unsigned verb = 0; verb < policy_verb_count(); verb++) {
            const struct policy_identity *s = all->pdata[i];
            if (policy_verbs[verb].subjects & 1U << s->category)
                lines += print_changes(&p, s, verb, all);
        }
    if (!lines)
        printf("nothing changes for anybody\n");
    g_ptr_array_free(all, TRUE);
    policy_close(&a);
    policy_close(&b);
    return 0;
}
