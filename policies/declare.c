/*
 * What a policy says there is: labels, and guests, devices and networks by name. Beside those there are always the
 * laptop, the people, and one of each kind of guest with each label and with none, one of each class of device and of
 * network, for whatever the policy does not name.
 */
#include <string.h>

#include "model.h"

static const char *keep(struct policy *policy, const char *text)
{
    return g_string_chunk_insert_const(policy->texts, text);
}

static const char *print(struct policy *policy, const char *format, const char *a, const char *b)
{
    char *text = g_strdup_printf(format, a, b);
    const char *kept = keep(policy, text);
    g_free(text);
    return kept;
}

static void add(struct policy *policy, struct policy_identity identity)
{
    identity.name = identity.name ? identity.name : "";
    identity.label = identity.label ? identity.label : "";
    identity.port = identity.port ? identity.port : "";
    g_array_append_val(policy->identities, identity);
}

const struct policy_identity *policy_identity(const struct policy *policy, unsigned number)
{
    return &g_array_index(policy->identities, struct policy_identity, number);
}

unsigned policy_find(const struct policy *policy, const char *phrase)
{
    for (unsigned i = 1; i < policy->identities->len; i++) {
        const struct policy_identity *id = policy_identity(policy, i);
        if (!strcmp(id->phrase, phrase) || !strcmp(id->context, phrase))
            return i;
    }
    return 0;
}

static bool is_name(const char *text)
{
    if (!g_ascii_isalnum(text[0]) || strlen(text) > POLICY_MAX_NAME)
        return false;
    for (; *text; text++)
        if (!g_ascii_isalnum(*text) && !strchr("_-.", *text))
            return false;
    return true;
}

static bool read_name(struct policy *policy, const struct policy_statement *s, unsigned at)
{
    if (at < s->count && is_name(s->words[at].text))
        return true;
    policy_error(policy, s, at, NULL, "a name is wanted here: letters, digits, \"_\", \"-\" and \".\", %d at most",
                 POLICY_MAX_NAME);
    return false;
}

static bool nothing_after(struct policy *policy, const struct policy_statement *s, unsigned at)
{
    if (at == s->count)
        return true;
    policy_error(policy, s, at, NULL, "the statement should end before this");
    return false;
}

static void declare_policy(struct policy *policy, const struct policy_statement *s)
{
    if (!read_name(policy, s, 1) || !nothing_after(policy, s, 2))
        return;
    if (*policy->name)
        policy_error(policy, s, 0, NULL, "the policy has a name already, \"%s\"", policy->name);
    policy->name = s->words[1].text;
}

static const char *find_label(const struct policy *policy, const char *name)
{
    for (unsigned i = 0; policy->labels->len > 1 && i < policy->labels->len - 1; i++)
        if (!strcmp(policy->labels->pdata[i], name))
            return policy->labels->pdata[i];
    return NULL;
}

static void declare_label(struct policy *policy, const struct policy_statement *s)
{
    for (unsigned at = 1;; at += 2) {
        if (!read_name(policy, s, at))
            return;
        if (policy->labels->len > POLICY_MAX_LABELS) {
            policy_error(policy, s, at, NULL, "%d labels are as many as there may be", POLICY_MAX_LABELS);
            return;
        }
        if (!find_label(policy, s->words[at].text)) { /* the last of the list is always NULL */
            policy->labels->pdata[policy->labels->len - 1] = (void *)s->words[at].text;
            g_ptr_array_add(policy->labels, NULL);
        }
        if (at + 1 == s->count)
            return;
        if (!policy_has(s, at + 1, ",") && !policy_has(s, at + 1, "and")) {
            policy_error(policy, s, at + 1, NULL, "labels stand with commas between them");
            return;
        }
    }
}

/* `is` and a class of that category, from *at; 0 if it is not there, which is reported. */
static unsigned read_class(struct policy *policy, const struct policy_statement *s, unsigned *at,
                           enum policy_category category)
{
    const char *known[POLICY_CLASS_LIMIT + 1] = {NULL};
    unsigned count = 0;
    if (!policy_has(s, *at, "is")) {
        policy_error(policy, s, *at, NULL, "\"is\" is wanted here, and then what it is");
        return 0;
    }
    ++*at;
    for (unsigned i = 1; i < POLICY_CLASS_LIMIT; i++) {
        const char *words = policy_classes[i].words;
        if (!words || policy_classes[i].category != category)
            continue;
        known[count++] = words;
        unsigned length = strchr(words, ' ') ? 2 : 1;
        char *here = policy_join(s, *at, MIN(*at + length, s->count));
        bool found = !strcmp(here, words);
        g_free(here);
        if (found) {
            *at += length;
            return i;
        }
    }
    char *all = g_strjoinv(", ", (char **)(void *)known);
    policy_error(policy, s, *at, known, "one of these is wanted here: %s", all);
    g_free(all);
    return 0;
}

static bool is_new(struct policy *policy, const struct policy_statement *s, const char *context)
{
    if (policy->identities->len >= POLICY_MAX_IDENTITIES) {
        policy_error(policy, s, 1, NULL, "the policy names more than it may, %d in all", POLICY_MAX_IDENTITIES);
        return false;
    }
    unsigned found = policy_find(policy, context);
    for (unsigned i = 0; i < policy->identities->len; i++)
        if (!found && policy_sid(policy_identity(policy, i)->context, strlen(policy_identity(policy, i)->context)) ==
                          policy_sid(context, strlen(context))) {
            policy_error(policy, s, 1, NULL, "this name cannot be told from \"%s\" in a table; take another",
                         policy_identity(policy, i)->phrase);
            return false;
        }
    if (found)
        policy_error(policy, s, 1, NULL, "%s is declared already", policy_identity(policy, found)->phrase);
    return !found;
}

static void declare_guest(struct policy *policy, const struct policy_statement *s)
{
    struct policy_identity id = {.category = POLICY_GUEST};
    unsigned at = 2;
    if (!read_name(policy, s, 1) || !(id.class = read_class(policy, s, &at, POLICY_GUEST)))
        return;
    if (policy_has(s, at, "labelled")) {
        id.label = at + 1 < s->count ? find_label(policy, s->words[at + 1].text) : NULL;
        if (!id.label) {
            policy_error(policy, s, at + 1, (const char *const *)policy->labels->pdata,
                         "there is no such label; a label is declared by: label NAME");
            return;
        }
        at += 2;
    }
    id.name = s->words[1].text;
    id.context = print(policy, "%s:%s", "guest", id.name);
    id.phrase = print(policy, "%s %s", "guest", id.name);
    if (nothing_after(policy, s, at) && is_new(policy, s, id.context))
        add(policy, id);
}

static bool read_number(struct policy *policy, const struct policy_statement *s, unsigned at, uint32_t *number)
{
    char *end = NULL;
    if (at < s->count && strlen(s->words[at].text) == 4) {
        *number = (uint32_t)g_ascii_strtoull(s->words[at].text, &end, 16);
        if (!*end && g_ascii_isxdigit(s->words[at].text[0]))
            return true;
    }
    policy_error(policy, s, at, NULL, "four hexadecimal digits are wanted here, as lsusb and lspci print them: 046d");
    return false;
}

static void declare_device(struct policy *policy, const struct policy_statement *s)
{
    static const char *const details[] = {"vendor", "model", "port", NULL};
    struct policy_identity id = {.category = POLICY_DEVICE, .vendor = POLICY_ANY_ID, .model = POLICY_ANY_ID};
    unsigned at = 2;
    if (!read_name(policy, s, 1) || !(id.class = read_class(policy, s, &at, POLICY_DEVICE)))
        return;
    for (; at < s->count; at += 2) {
        if (policy_has(s, at, "vendor") && id.vendor == POLICY_ANY_ID) {
            if (!read_number(policy, s, at + 1, &id.vendor))
                return;
        } else if (policy_has(s, at, "model") && id.model == POLICY_ANY_ID) {
            if (!read_number(policy, s, at + 1, &id.model))
                return;
        } else if (policy_has(s, at, "port") && !id.port && at + 1 < s->count) {
            id.port = s->words[at + 1].text;
        } else {
            policy_error(policy, s, at, details, "vendor, model and port may stand here, each once with its value");
            return;
        }
    }
    id.name = s->words[1].text;
    id.context = print(policy, "%s:%s", "device", id.name);
    id.phrase = print(policy, "%s %s", "device", id.name);
    if (is_new(policy, s, id.context))
        add(policy, id);
}

static void declare_network(struct policy *policy, const struct policy_statement *s)
{
    struct policy_identity id = {.category = POLICY_NETWORK};
    unsigned at = 2;
    if (!read_name(policy, s, 1) || !(id.class = read_class(policy, s, &at, POLICY_NETWORK)))
        return;
    id.name = s->words[1].text;
    id.context = print(policy, "%s:%s", "network", id.name);
    id.phrase = print(policy, "%s %s", "network", id.name);
    if (nothing_after(policy, s, at) && is_new(policy, s, id.context))
        add(policy, id);
}

/* Contexts have no spaces: "usb-storage". */
static const char *hyphened(struct policy *policy, const char *words)
{
    char *text = g_strdelimit(g_strdup(words), " ", '-');
    const char *kept = keep(policy, text);
    g_free(text);
    return kept;
}

/* What is there whatever the policy says. */
static void add_general(struct policy *policy)
{
    static const struct policy_identity single[] = {
        {.category = POLICY_NOBODY, .context = "nobody", .phrase = "nobody"},
        {.category = POLICY_LAPTOP, .context = "laptop", .phrase = "laptop"},
        {.category = POLICY_PERSON, .context = "person", .phrase = "person"},
        {.category = POLICY_ADMINISTRATOR, .context = "administrator", .phrase = "administrator"},
        {.category = POLICY_REMOTE, .context = "remote-management", .phrase = "remote management"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(single); i++)
        add(policy, single[i]);
    for (unsigned i = 0; i < POLICY_CLASS_LIMIT; i++) {
        const char *words = policy_classes[i].words;
        if (!words)
            continue;
        struct policy_identity id = {.category = policy_classes[i].category,
                                     .class = i,
                                     .phrase = words,
                                     .vendor = POLICY_ANY_ID,
                                     .model = POLICY_ANY_ID};
        id.context = hyphened(policy, words);
        add(policy, id);
        for (unsigned l = 0; id.category == POLICY_GUEST && l + 1 < policy->labels->len; l++) {
            id.label = policy->labels->pdata[l];
            id.context = print(policy, "%s:%s", words, id.label);
            id.phrase = print(policy, "%s labelled %s", words, id.label);
            add(policy, id);
        }
    }
}

static const struct {
    const char *word;
    void (*declare)(struct policy *policy, const struct policy_statement *statement);
} declarations[] = {
    {"policy", declare_policy},
    {"guest", declare_guest},
    {"device", declare_device},
    {"network", declare_network},
};

void policy_declare(struct policy *policy)
{
    g_ptr_array_add(policy->labels, NULL);
    for (unsigned i = 0; i < policy->statements->len; i++)
        if (policy_has(policy->statements->pdata[i], 0, "label"))
            declare_label(policy, policy->statements->pdata[i]);
    add_general(policy);
    for (unsigned i = 0; i < policy->statements->len; i++)
        for (size_t d = 0; d < G_N_ELEMENTS(declarations); d++)
            if (policy_has(policy->statements->pdata[i], 0, declarations[d].word))
                declarations[d].declare(policy, policy->statements->pdata[i]);
    if (!*policy->name && policy->sources->len)
        policy_error_at(policy, policy->sources->pdata[0], 1, 1, "the policy has no name; begin with: policy NAME");
}
