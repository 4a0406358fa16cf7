/*
 * Rules: EFFECT SUBJECTS to VERBS OBJECTS [CONDITIONS] [MEMORY]. See GRAMMAR.md.
 */
#include <string.h>

#include "model.h"

static bool take(const struct policy_statement *s, unsigned *at, const char *text)
{
    bool there = policy_has(s, *at, text);
    *at += there;
    return there;
}

/* Between the parts of a list: a comma, "and", or both. What is remembered may follow a comma too, and is no part. */
static bool take_separator(const struct policy_statement *s, unsigned *at)
{
    unsigned next = *at;
    bool there = take(s, &next, ",");
    there |= take(s, &next, "and");
    if (!there || policy_has(s, next, "remember"))
        return false;
    *at = next;
    return true;
}

bool policy_term_matches(const struct policy_term *term, const struct policy_identity *identity)
{
    return (term->categories & 1U << identity->category) &&
           (!term->classes || (term->classes & 1U << identity->class)) &&
           (!term->label || !strcmp(term->label, identity->label)) &&
           (!term->name || !strcmp(term->name, identity->name));
}

static bool read_label(struct policy *policy, const struct policy_statement *s, unsigned *at, struct policy_term *term)
{
    if (!take(s, at, "labelled"))
        return true;
    for (unsigned i = 0; i + 1 < policy->labels->len; i++)
        if (policy_has(s, *at, policy->labels->pdata[i])) {
            term->label = s->words[(*at)++].text;
            return true;
        }
    policy_error(policy, s, *at, (const char *const *)policy->labels->pdata,
                 "there is no such label; a label is declared by: label NAME");
    return false;
}

#define CLASSES(first, last) ((2U << POLICY_CLASS_##last) - (1U << POLICY_CLASS_##first))

/* What may stand after `any` beside the classes, and which identities it means. */
static const struct {
    const char *words;
    struct policy_term term;
} groups[] = {
    {"guest", {.categories = POLICY_IS(GUEST)}},
    {"device", {.categories = POLICY_IS(DEVICE)}},
    {"usb device", {.categories = POLICY_IS(DEVICE), .classes = CLASSES(USB_STORAGE, USB_OTHER)}},
    {"pci device", {.categories = POLICY_IS(DEVICE), .classes = CLASSES(PCI_DISPLAY, PCI_OTHER)}},
    {"network", {.categories = POLICY_IS(NETWORK)}},
};

static bool words_stand(const struct policy_statement *s, unsigned *at, const char *words)
{
    unsigned length = 1;
    for (const char *p = words; (p = strchr(p, ' ')); p++)
        length++;
    if (*at + length > s->count)
        return false;
    char *here = policy_join(s, *at, *at + length);
    bool stand = !strcmp(here, words);
    g_free(here);
    *at += stand ? length : 0;
    return stand;
}

static bool read_group(struct policy *policy, const struct policy_statement *s, unsigned *at, struct policy_term *term)
{
    const char *known[POLICY_CLASS_LIMIT + G_N_ELEMENTS(groups) + 1] = {NULL};
    unsigned count = 0;
    for (unsigned i = 0; i < POLICY_CLASS_LIMIT; i++) {
        if (!policy_classes[i].words)
            continue;
        known[count++] = policy_classes[i].words;
        if (words_stand(s, at, policy_classes[i].words)) {
            *term = (struct policy_term){.categories = 1U << policy_classes[i].category, .classes = 1U << i};
            return term->categories != POLICY_IS(GUEST) || read_label(policy, s, at, term);
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        known[count++] = groups[i].words;
        if (words_stand(s, at, groups[i].words)) {
            *term = groups[i].term;
            return term->categories != POLICY_IS(GUEST) || read_label(policy, s, at, term);
        }
    }
    policy_error(policy, s, *at, known,
                 "\"any\" what? There are: any guest, desktop, service, usb device, pci device, "
                 "network, and each class of those");
    return false;
}

/* guest NAME, device NAME, network NAME: one that is declared. */
static bool read_named(struct policy *policy, const struct policy_statement *s, unsigned *at, struct policy_term *term)
{
    const enum policy_category category = policy_has(s, *at, "guest")    ? POLICY_GUEST
                                          : policy_has(s, *at, "device") ? POLICY_DEVICE
                                                                         : POLICY_NETWORK;
    const char *kind = s->words[(*at)++].text;
    const char *name = *at < s->count ? s->words[*at].text : "";
    GPtrArray *known = g_ptr_array_new();
    for (unsigned i = 0; i < policy->identities->len; i++) {
        const struct policy_identity *id = policy_identity(policy, i);
        if (id->category != category || !*id->name)
            continue;
        g_ptr_array_add(known, (void *)id->name);
        if (!strcmp(id->name, name)) {
            *term = (struct policy_term){.categories = 1U << category, .name = id->name};
            ++*at;
            g_ptr_array_free(known, TRUE);
            return true;
        }
    }
    g_ptr_array_add(known, NULL);
    policy_error(policy, s, *at, (const char *const *)known->pdata,
                 "no %s \"%s\" is declared; for any of them write: any %s", kind, name, kind);
    g_ptr_array_free(known, TRUE);
    return false;
}

static bool read_term(struct policy *policy, const struct policy_statement *s, unsigned *at, struct policy_term *term)
{
    static const char *const known[] = {
        "any",    "guest",   "device",  "network", "person", "administrator", "remote management",
        "laptop", "desktop", "service", NULL};
    static const struct {
        const char *words;
        uint32_t categories;
    } singles[] = {
        {"person", POLICY_IS(PERSON)},
        {"administrator", POLICY_IS(ADMINISTRATOR)},
        {"remote management", POLICY_IS(REMOTE)},
        {"laptop", POLICY_IS(LAPTOP)},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(singles); i++)
        if (words_stand(s, at, singles[i].words)) {
            *term = (struct policy_term){.categories = singles[i].categories};
            return true;
        }
    if (take(s, at, "any"))
        return read_group(policy, s, at, term);
    if (policy_has(s, *at, "guest") || policy_has(s, *at, "device") || policy_has(s, *at, "network"))
        return read_named(policy, s, at, term);
    if (policy_has(s, *at, "desktop") || policy_has(s, *at, "service"))
        policy_error(policy, s, *at, NULL, "write: any %s", s->words[*at].text);
    else
        policy_error(policy, s, *at, known, "who or what? This is no guest, device, network, person, laptop, ...");
    return false;
}

static bool read_terms(struct policy *policy, const struct policy_statement *s, unsigned *at, GArray *terms)
{
    do {
        struct policy_term term;
        if (terms->len >= POLICY_MAX_TERMS) {
            policy_error(policy, s, *at, NULL, "this list has more than %d parts", POLICY_MAX_TERMS);
            return false;
        }
        if (!read_term(policy, s, at, &term))
            return false;
        g_array_append_val(terms, term);
    } while (take_separator(s, at));
    return true;
}

int policy_read_verb(const struct policy_statement *s, unsigned *at)
{
    int found = -1;
    unsigned behind = *at;
    for (int i = 0; i < POLICY_VERB_LIMIT; i++) {
        unsigned here = *at;
        if (policy_verbs[i].known && words_stand(s, &here, policy_verbs[i].words) && here > behind) {
            behind = here;
            found = i;
        }
    }
    *at = behind;
    return found;
}

/* As many words as the verb has of which they are nearest. */
static void complain_of_verb(struct policy *policy, const struct policy_statement *s, unsigned at)
{
    const char *known[POLICY_VERB_LIMIT + 1] = {NULL}, *nearest = NULL;
    unsigned count = 0;
    for (unsigned i = 0; i < POLICY_VERB_LIMIT; i++)
        if (policy_verbs[i].known)
            known[count++] = policy_verbs[i].words;
    for (unsigned length = 3; length && !nearest; length--) {
        char *here = policy_join(s, at, MIN(at + length, s->count));
        nearest = *here ? policy_nearest(here, known) : NULL;
        g_free(here);
    }
    const char *meant[] = {nearest, NULL};
    if (nearest)
        policy_error(policy, s, at, NULL, "there is no such verb; did you mean \"%s\"?", meant[0]);
    else
        policy_error(policy, s, at, NULL, "there is no such verb; roundhouse-policy words lists them");
}

static bool read_verbs(struct policy *policy, const struct policy_statement *s, unsigned *at, struct policy_rule *rule)
{
    unsigned last = 0;
    do {
        unsigned start = *at;
        int verb = policy_read_verb(s, at);
        if (verb < 0) {
            complain_of_verb(policy, s, *at);
            return false;
        }
        if (rule->verbs && policy_verb_names_object(last) != policy_verb_names_object((unsigned)verb)) {
            policy_error(policy, s, start, NULL,
                         "\"%s\" and \"%s\" cannot share a rule: only one of them is done to "
                         "something that is named",
                         policy_verbs[last].words, policy_verbs[verb].words);
            return false;
        }
        last = (unsigned)verb;
        rule->verbs |= 1ULL << verb;
    } while (take_separator(s, at));
    if (policy_verb_names_object(last))
        return read_terms(policy, s, at, rule->objects);
    struct policy_term laptop = {.categories = POLICY_IS(LAPTOP)};
    g_array_append_val(rule->objects, laptop);
    return true;
}

bool policy_read_clock(const char *text, uint16_t *minute)
{
    if (strlen(text) != 5 || text[2] != ':' || !g_ascii_isdigit(text[0]) || !g_ascii_isdigit(text[1]) ||
        !g_ascii_isdigit(text[3]) || !g_ascii_isdigit(text[4]))
        return false;
    unsigned hours = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
    unsigned minutes = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
    *minute = (uint16_t)(hours * 60 + minutes);
    return hours < 24 && minutes < 60;
}

static bool read_hours(struct policy *policy, const struct policy_statement *s, unsigned *at, struct policy_when *when)
{
    if (when->from != when->until) {
        policy_error(policy, s, *at, NULL, "the hours are said already");
        return false;
    }
    ++*at;
    if (*at + 3 > s->count || !policy_read_clock(s->words[*at].text, &when->from) || !policy_has(s, *at + 1, "and") ||
        !policy_read_clock(s->words[*at + 2].text, &when->until) || when->from == when->until) {
        policy_error(policy, s, *at, NULL, "two different times are wanted here: between 08:00 and 18:30");
        return false;
    }
    *at += 3;
    return true;
}

static bool read_condition(struct policy *policy, const struct policy_statement *s, unsigned *at,
                           struct policy_when *when)
{
    unsigned start = *at;
    bool not = take(s, at, "not");
    if (!not &&policy_has(s, *at, "between"))
        return read_hours(policy, s, at, when);
    for (unsigned i = 0; policy_conditions[i]; i++) {
        if (!words_stand(s, at, policy_conditions[i]))
            continue;
        if ((when->required | when->excluded) & 1U << i) {
            policy_error(policy, s, start, NULL, "this is said already");
            return false;
        }
        *(not ? &when->excluded : &when->required) |= (uint16_t)(1U << i);
        return true;
    }
    policy_error(policy, s, *at, policy_conditions,
                 "a condition is wanted here: on screen, locked, screen shared, on AC, each with or without \"not\", "
                 "or between 08:00 and 18:00");
    return false;
}

bool policy_read_conditions(struct policy *policy, const struct policy_statement *s, unsigned *at,
                            struct policy_when *when)
{
    do {
        if (!read_condition(policy, s, at, when))
            return false;
    } while (take(s, at, "and"));
    return true;
}

static bool read_when(struct policy *policy, const struct policy_statement *s, unsigned *at, struct policy_rule *rule)
{
    unsigned start = *at;
    rule->when.only = take(s, at, "only");
    if (!take(s, at, "when") && !take(s, at, "while")) {
        if (rule->when.only)
            policy_error(policy, s, *at, NULL, "\"when\" or \"while\" is wanted here");
        return !rule->when.only;
    }
    if (rule->when.only && rule->effect == POLICY_DENY) {
        policy_error(policy, s, start, NULL,
                     "a denial is not \"only\": write \"when\", and what else holds as rules of "
                     "its own");
        return false;
    }
    return policy_read_conditions(policy, s, at, &rule->when);
}

static bool read_duration(const struct policy_statement *s, unsigned *at, struct policy_rule *rule)
{
    static const struct {
        const char *one, *many;
        uint32_t seconds;
    } units[] = {{"minute", "minutes", 60}, {"hour", "hours", 3600}, {"day", "days", 86400}};
    char *end = NULL;
    if (*at >= s->count || !g_ascii_isdigit(s->words[*at].text[0]) || strlen(s->words[*at].text) > 3)
        return false;
    uint32_t number = (uint32_t)g_ascii_strtoull(s->words[*at].text, &end, 10);
    if (*end || !number)
        return false;
    ++*at;
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
        if (take(s, at, units[i].one) || take(s, at, units[i].many)) {
            rule->seconds = number * units[i].seconds;
            return true;
        }
    return false;
}

static bool read_memory(struct policy *policy, const struct policy_statement *s, unsigned *at, struct policy_rule *rule)
{
    take(s, at, ",");
    take(s, at, "and");
    unsigned start = *at;
    if (!take(s, at, "remember"))
        return true;
    if (rule->effect != POLICY_ASK) {
        policy_error(policy, s, start, NULL,
                     "only the answer to a question can be remembered: ask before allowing ...");
        return false;
    }
    if (take(s, at, "forever"))
        rule->remember = POLICY_FOREVER;
    else if (words_stand(s, at, "until guest stops"))
        rule->remember = POLICY_UNTIL_GUEST_STOPS;
    else if (words_stand(s, at, "until laptop restarts"))
        rule->remember = POLICY_UNTIL_RESTART;
    else if (take(s, at, "for") && read_duration(s, at, rule))
        rule->remember = POLICY_FOR_SECONDS;
    else
        policy_error(policy, s, *at, NULL,
                     "how long? There are: remember until the guest stops, until the laptop "
                     "restarts, for 8 hours (minutes, days), forever");
    return rule->remember != POLICY_ASK_EACH_TIME;
}

static bool read_effect(struct policy *policy, const struct policy_statement *s, unsigned *at, struct policy_rule *rule)
{
    static const char *const known[] = {"allow", "deny",   "ask",     "include", "label",
                                        "guest", "device", "network", "policy",  NULL};
    if (take(s, at, "allow")) {
        rule->effect = POLICY_ALLOW;
    } else if (take(s, at, "deny")) {
        rule->effect = POLICY_DENY;
    } else if (take(s, at, "ask")) {
        rule->effect = POLICY_ASK;
        if (!take(s, at, "before") || !take(s, at, "allowing")) {
            policy_error(policy, s, *at, NULL, "write: ask before allowing ...");
            return false;
        }
    } else {
        policy_error(policy, s, 0, known, "a statement does not begin with \"%s\"", s->words[0].text);
        return false;
    }
    return true;
}

static uint32_t categories_of(const GArray *terms)
{
    uint32_t categories = 0;
    for (unsigned i = 0; i < terms->len; i++)
        categories |= g_array_index(terms, struct policy_term, i).categories;
    return categories;
}

/* Says what a verb cannot be asked for, since such a rule would never decide anything. */
static bool makes_sense(struct policy *policy, const struct policy_statement *s, unsigned verb_at,
                        const struct policy_rule *rule)
{
    for (unsigned i = 0; i < POLICY_VERB_LIMIT; i++) {
        const struct policy_verb_words *v = &policy_verbs[i];
        if (!(rule->verbs & 1ULL << i))
            continue;
        char *subjects = policy_categories_text(v->subjects), *objects = policy_categories_text(v->objects);
        bool good = false;
        if (categories_of(rule->subjects) & ~v->subjects)
            policy_error(policy, s, 1, NULL, "who can \"%s\" is: %s", v->words, subjects);
        else if (categories_of(rule->objects) & ~v->objects)
            policy_error(policy, s, verb_at, NULL, "\"%s\" is done to: %s", v->words, objects);
        else if (v->enforcer == POLICY_BY_HYPERVISOR &&
                 (rule->effect == POLICY_ASK || rule->when.required || rule->when.excluded || rule->when.only ||
                  rule->when.from != rule->when.until))
            policy_error(policy, s, verb_at, NULL,
                         "\"%s\" is the hypervisor's to allow or deny: it can ask nobody, and "
                         "knows no conditions",
                         v->words);
        else
            good = true;
        g_free(subjects);
        g_free(objects);
        if (!good)
            return false;
    }
    return true;
}

static bool read_rule(struct policy *policy, const struct policy_statement *s, struct policy_rule *rule)
{
    unsigned at = 0;
    if (!read_effect(policy, s, &at, rule) || !read_terms(policy, s, &at, rule->subjects))
        return false;
    if (!take(s, &at, "to")) {
        policy_error(policy, s, at, NULL, "\"to\" is wanted here, and then what is done");
        return false;
    }
    unsigned verb_at = at;
    if (!read_verbs(policy, s, &at, rule) || !read_when(policy, s, &at, rule) || !read_memory(policy, s, &at, rule))
        return false;
    if (at != s->count) {
        static const char *const known[] = {"only", "when", "while", "remember", "and", "labelled", NULL};
        policy_error(policy, s, at, known,
                     "the statement should end before this, or go on with \"when\", \"only when\" "
                     "or \"remember\"");
        return false;
    }
    return makes_sense(policy, s, verb_at, rule);
}

static bool is_declaration(const struct policy_statement *s)
{
    static const char *const words[] = {"include", "label", "guest", "device", "network", "policy"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (policy_has(s, 0, words[i]))
            return true;
    return false;
}

void policy_read_rules(struct policy *policy)
{
    for (unsigned i = 0; i < policy->statements->len; i++) {
        const struct policy_statement *s = policy->statements->pdata[i];
        if (is_declaration(s))
            continue;
        struct policy_rule rule = {.source = s->source, .line = s->words[0].line, .column = s->words[0].column};
        rule.subjects = g_array_new(FALSE, TRUE, sizeof(struct policy_term));
        rule.objects = g_array_new(FALSE, TRUE, sizeof(struct policy_term));
        if (!read_rule(policy, s, &rule)) {
            g_array_free(rule.subjects, TRUE);
            g_array_free(rule.objects, TRUE);
            continue;
        }
        char *text = policy_join(s, 0, s->count);
        rule.text = g_string_chunk_insert_const(policy->texts, text);
        g_free(text);
        g_array_append_val(policy->rules, rule);
    }
}
