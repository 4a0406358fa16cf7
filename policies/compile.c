/*
 * A policy into a table. For each verb, subjects that the same rules are about are one class, and so are objects; each
 * pair of classes is a cell, whose answer is the chain of the rules that are about both, up to the first that holds
 * whatever the moment. Equal chains are there once. So a table grows with what a policy tells apart, not with the
 * number of guests.
 */
#include <string.h>

#include "model.h"

struct writer {
    struct policy *policy;
    GArray *verbs, *identities, *steps, *rules, *devices, *by_sid, *subject_classes, *object_classes, *cells;
    GString *strings;
    GHashTable *string_at; /* text: where + 1 */
    GHashTable *chain_at;  /* bytes of a chain: its first step + 1 */
    bool *used;            /* rules that decide something */
    char *folder;          /* of the policy's own file */
    bool failed;
};

/* Where a text is in the strings. A log shows it, so what is no ASCII character is a question mark there. */
static uint32_t string(struct writer *w, const char *text)
{
    gpointer at = g_hash_table_lookup(w->string_at, text);
    if (!at) {
        at = GUINT_TO_POINTER(w->strings->len + 1);
        g_hash_table_insert(w->string_at, g_strdup(text), at);
        for (const char *p = text; *p; p++)
            g_string_append_c(w->strings, *p >= ' ' && *p <= '~' ? *p : '?');
        g_string_append_c(w->strings, '\0');
    }
    return GPOINTER_TO_UINT(at) - 1;
}

static void fail(struct writer *w, const char *what, unsigned limit)
{
    if (!w->failed)
        g_ptr_array_add(w->policy->messages,
                        g_strdup_printf("the policy is too large for a table: more than %u %s", limit, what));
    w->failed = true;
}

static const struct policy_rule *rule_at(const struct writer *w, unsigned i)
{
    return &g_array_index(w->policy->rules, struct policy_rule, i);
}

static bool about(const GArray *terms, const struct policy_identity *identity)
{
    for (unsigned i = 0; i < terms->len; i++)
        if (policy_term_matches(&g_array_index(terms, struct policy_term, i), identity))
            return true;
    return false;
}

/* The classes of all identities as subjects or objects of a verb: numbers to `out`, and for each class its rules, in
 * order. */
static GPtrArray *classify(struct writer *w, unsigned verb, bool as_subject, GArray *out)
{
    GPtrArray *classes = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    GHashTable *number = g_hash_table_new(g_bytes_hash, g_bytes_equal);
    for (unsigned i = 0; i < w->policy->identities->len; i++) {
        const struct policy_identity *id = policy_identity(w->policy, i);
        GByteArray *rules = g_byte_array_new();
        for (unsigned r = 0; r < w->policy->rules->len; r++) {
            const struct policy_rule *rule = rule_at(w, r);
            uint16_t index = (uint16_t)r;
            if (rule->verbs & 1ULL << verb && about(as_subject ? rule->subjects : rule->objects, id))
                g_byte_array_append(rules, (const void *)&index, sizeof(index));
        }
        GBytes *key = g_byte_array_free_to_bytes(rules);
        gpointer known = g_hash_table_lookup(number, key);
        if (known) {
            g_bytes_unref(key);
        } else {
            g_ptr_array_add(classes, key);
            known = GUINT_TO_POINTER(classes->len);
            g_hash_table_insert(number, key, known);
        }
        uint16_t class = (uint16_t)(GPOINTER_TO_UINT(known) - 1);
        g_array_append_val(out, class);
    }
    g_hash_table_destroy(number);
    return classes;
}

static struct policy_file_step step_of(const struct policy_rule *rule, unsigned number)
{
    const struct policy_when *when = &rule->when;
    bool always = !when->required && !when->excluded && when->from == when->until;
    return (struct policy_file_step){
        .effect = (uint8_t)rule->effect,
        .remember = (uint8_t)rule->remember,
        .flags = (uint16_t)((always ? POLICY_STEP_LAST : 0) | (when->only ? POLICY_STEP_ONLY : 0)),
        .required = when->required,
        .excluded = when->excluded,
        .from = when->from,
        .until = when->until,
        .seconds = rule->seconds,
        .rule = number + 1,
    };
}

/* Where the chain is, added if it is new. */
static uint16_t place_chain(struct writer *w, const struct policy_file_step *chain, unsigned length)
{
    GBytes *key = g_bytes_new(chain, length * sizeof(*chain));
    gpointer at = g_hash_table_lookup(w->chain_at, key);
    if (!at) {
        at = GUINT_TO_POINTER(w->steps->len + 1);
        g_hash_table_insert(w->chain_at, g_bytes_ref(key), at);
        g_array_append_vals(w->steps, chain, length);
        for (unsigned i = 0; i < length; i++)
            w->used[chain[i].rule] = true;
    }
    g_bytes_unref(key);
    if (w->steps->len > POLICY_MAX_STEPS)
        fail(w, "different answers", POLICY_MAX_STEPS);
    return (uint16_t)(GPOINTER_TO_UINT(at) - 1);
}

/* The answer for those that rules `a` are about as subjects, and `b` as objects. */
static uint16_t answer(struct writer *w, GBytes *a, GBytes *b)
{
    struct policy_file_step chain[POLICY_MAX_CHAIN];
    gsize na, nb;
    const uint16_t *ra = g_bytes_get_data(a, &na), *rb = g_bytes_get_data(b, &nb);
    unsigned length = 0;
    na /= sizeof(*ra);
    nb /= sizeof(*rb);
    for (gsize i = 0, j = 0; i < na && j < nb;) {
        if (ra[i] != rb[j]) {
            if (ra[i] < rb[j])
                i++;
            else
                j++;
            continue;
        }
        chain[length++] = step_of(rule_at(w, ra[i]), ra[i]);
        if (chain[length - 1].flags)
            return place_chain(w, chain, length);
        if (length == POLICY_MAX_CHAIN) {
            const struct policy_rule *rule = rule_at(w, ra[i]);
            if (!w->failed)
                policy_error_at(w->policy, rule->source, rule->line, rule->column,
                                "more than %d rules with \"when\" are about the same; at this one it gets too many",
                                POLICY_MAX_CHAIN - 1);
            w->failed = true;
            return 0;
        }
        i++, j++;
    }
    chain[length++] = (struct policy_file_step){.effect = POLICY_DENY, .flags = POLICY_STEP_LAST};
    return place_chain(w, chain, length);
}

static void write_verb(struct writer *w, unsigned verb)
{
    GPtrArray *subjects = classify(w, verb, true, w->subject_classes);
    GPtrArray *objects = classify(w, verb, false, w->object_classes);
    struct policy_file_verb entry = {w->cells->len, (uint16_t)subjects->len, (uint16_t)objects->len};
    g_array_append_val(w->verbs, entry);
    if (w->cells->len + (uint64_t)subjects->len * objects->len > POLICY_MAX_CELLS)
        fail(w, "pairs to tell apart", POLICY_MAX_CELLS);
    for (unsigned s = 0; s < subjects->len && !w->failed; s++)
        for (unsigned o = 0; o < objects->len && !w->failed; o++) {
            uint16_t cell = answer(w, subjects->pdata[s], objects->pdata[o]);
            g_array_append_val(w->cells, cell);
        }
    g_ptr_array_free(subjects, TRUE);
    g_ptr_array_free(objects, TRUE);
}

static void write_device(struct writer *w, const struct policy_identity *id, unsigned number)
{
    struct policy_file_device entry = {number, id->vendor, id->model, string(w, id->port)};
    g_array_append_val(w->devices, entry);
}

static int by_sid(const void *a, const void *b, void *identities)
{
    const struct policy_file_identity *ids = identities;
    uint32_t sa = ids[*(const uint16_t *)a].sid, sb = ids[*(const uint16_t *)b].sid;
    return (sa > sb) - (sa < sb);
}

static void write_identities(struct writer *w)
{
    for (unsigned i = 0; i < w->policy->identities->len; i++) {
        const struct policy_identity *id = policy_identity(w->policy, i);
        struct policy_file_identity entry = {
            .sid = policy_sid(id->context, strlen(id->context)),
            .context = string(w, id->context),
            .category = (uint8_t)id->category,
            .class = (uint8_t)id->class,
            .name = string(w, id->name),
            .label = string(w, id->label),
        };
        uint16_t number = (uint16_t)i;
        g_array_append_val(w->identities, entry);
        g_array_append_val(w->by_sid, number);
        if (id->category == POLICY_DEVICE && *id->name)
            write_device(w, id, i);
    }
    for (unsigned i = 0; i < w->policy->identities->len; i++) {
        const struct policy_identity *id = policy_identity(w->policy, i);
        if (id->category == POLICY_DEVICE && !*id->name)
            write_device(w, id, i);
    }
    if (w->devices->len > POLICY_MAX_DEVICES)
        fail(w, "devices", POLICY_MAX_DEVICES);
    g_array_sort_with_data(w->by_sid, by_sid, w->identities->data);
}

static void write_rules(struct writer *w)
{
    struct policy_file_rule last = {string(w, ""), 0, string(w, "what nothing says is denied")};
    g_array_append_val(w->rules, last);
    for (unsigned i = 0; i < w->policy->rules->len; i++) {
        const struct policy_rule *rule = rule_at(w, i);
        const char *file = rule->source->path;
        if (g_str_has_prefix(file, w->folder))
            file += strlen(w->folder);
        struct policy_file_rule entry = {string(w, file), rule->line, string(w, rule->text)};
        g_array_append_val(w->rules, entry);
    }
    if (w->rules->len > POLICY_MAX_RULES)
        fail(w, "rules", POLICY_MAX_RULES);
}

static GByteArray *join(struct writer *w)
{
    struct policy_file file = {.magic = POLICY_FILE_MAGIC, .version = POLICY_FILE_VERSION};
    GArray *const parts[] = {w->verbs,  w->identities,      w->steps,          w->rules, w->devices,
                             w->by_sid, w->subject_classes, w->object_classes, w->cells};
    file.name = string(w, w->policy->name);
    file.verbs = w->verbs->len;
    file.identities = w->identities->len;
    file.steps = w->steps->len;
    file.rules = w->rules->len;
    file.devices = w->devices->len;
    file.cells = w->cells->len;
    file.strings = (uint32_t)w->strings->len;
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const void *)&file, sizeof(file));
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        g_byte_array_append(bytes, (const void *)parts[i]->data, parts[i]->len * g_array_get_element_size(parts[i]));
    g_byte_array_append(bytes, (const void *)w->strings->str, (guint)w->strings->len);
    struct policy_file *head = (struct policy_file *)(void *)bytes->data;
    head->size = bytes->len;
    head->checksum = policy_checksum(bytes->data, bytes->len);
    if (w->strings->len > POLICY_MAX_STRINGS || bytes->len > POLICY_MAX_FILE)
        fail(w, "bytes", POLICY_MAX_FILE);
    return bytes;
}

/* What the machine cannot run without: a table that takes it away could not even be replaced. */
static void check_machine(struct policy *policy, const GByteArray *bytes)
{
    struct policy_table table;
    enum policy_load result = policy_table_load(&table, bytes->data, bytes->len);
    if (result != POLICY_LOADED) { /* a fault of this file, not of the policy */
        g_ptr_array_add(policy->messages, g_strdup_printf("the table made of it is %s", policy_load_text(result)));
        return;
    }
    uint64_t missing = policy_table_missing(&table);
    const char *path = ((const struct policy_source *)policy->sources->pdata[0])->path;
    for (unsigned verb = 0; verb < policy_verb_count(); verb++)
        if (missing & 1ULL << verb)
            g_ptr_array_add(policy->messages,
                            g_strdup_printf("%s: the machine could not run; it needs: allow the laptop to %s%s", path,
                                            policy_verbs[verb].words,
                                            policy_verb_names_object(verb) ? " the laptop" : ""));
}

static void writer_free(struct writer *w)
{
    GArray *const parts[] = {w->verbs,  w->identities,      w->steps,          w->rules, w->devices,
                             w->by_sid, w->subject_classes, w->object_classes, w->cells};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        g_array_free(parts[i], TRUE);
    g_string_free(w->strings, TRUE);
    g_hash_table_destroy(w->string_at);
    g_hash_table_destroy(w->chain_at);
    g_free(w->folder);
    g_free(w->used);
}

static char *folder_of(const struct policy *policy)
{
    const struct policy_source *first = policy->sources->pdata[0];
    const char *slash = strrchr(first->path, '/');
    return g_strndup(first->path, slash ? (gsize)(slash - first->path) + 1 : 0);
}

GByteArray *policy_compile(struct policy *policy)
{
    if (!policy_is_good(policy))
        return NULL;
    struct writer w = {
        .policy = policy,
        .verbs = g_array_new(FALSE, FALSE, sizeof(struct policy_file_verb)),
        .identities = g_array_new(FALSE, FALSE, sizeof(struct policy_file_identity)),
        .steps = g_array_new(FALSE, FALSE, sizeof(struct policy_file_step)),
        .rules = g_array_new(FALSE, FALSE, sizeof(struct policy_file_rule)),
        .devices = g_array_new(FALSE, FALSE, sizeof(struct policy_file_device)),
        .by_sid = g_array_new(FALSE, FALSE, sizeof(uint16_t)),
        .subject_classes = g_array_new(FALSE, FALSE, sizeof(uint16_t)),
        .object_classes = g_array_new(FALSE, FALSE, sizeof(uint16_t)),
        .cells = g_array_new(FALSE, FALSE, sizeof(uint16_t)),
        .strings = g_string_new(NULL),
        .string_at = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .chain_at = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL),
        .used = g_new0(bool, policy->rules->len + 1),
        .folder = folder_of(policy),
    };
    write_rules(&w);
    write_identities(&w);
    for (unsigned verb = 0; verb < policy_verb_count() && !w.failed; verb++)
        write_verb(&w, verb);
    GByteArray *bytes = w.failed ? NULL : join(&w);
    if (bytes && !w.failed)
        check_machine(policy, bytes);
    for (unsigned i = 0; i < policy->rules->len && policy_is_good(policy); i++)
        if (!w.used[i + 1])
            policy_warning(policy, rule_at(&w, i), "this rule never decides anything: rules before it do");
    writer_free(&w);
    if (bytes && !policy_is_good(policy)) {
        g_byte_array_unref(bytes);
        bytes = NULL;
    }
    return bytes;
}
