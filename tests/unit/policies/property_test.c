/*
 * Compiled tables answer as the text says. Random policies are written from a structure of this test, read and compiled
 * by the real files, and asked a million random questions; what is expected is worked out from that structure, rule by
 * rule, by code that shares nothing with the compiler: neither its parser nor its idea of who is meant.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model.h"
#include "../check.h"
#include "../random.h"

enum {
    QUESTIONS = 1000000,
    QUESTIONS_EACH = 2500,
    LABELS = 3,
    GUESTS = 6,
    DEVICES = 4,
    NETWORKS = 2,
    MAX_ENTITIES = 128,
    MAX_RULES = 40,
    ANY = -1,
    NONE = -2,
};

static const char *const class_words[] = {
    "",
    "desktop",
    "service",
    "usb storage",
    "usb keyboard",
    "usb pointer",
    "usb camera",
    "usb audio",
    "usb printer",
    "usb network",
    "usb smartcard",
    "usb other",
    "pci display",
    "pci network",
    "pci storage",
    "pci usb",
    "pci other",
    "wired network",
    "wireless network",
    "vpn network",
};
static const char *const condition_words[] = {"on screen", "locked", "screen shared", "on AC"};

/* Who there is: numbers only, so that matching is comparing. */
struct entity {
    enum policy_category category;
    int class, label, name;
    char context[64];
};

struct term {
    enum policy_category category;
    int first_class, last_class; /* ANY */
    int label, name;
    char text[64];
};

struct rule {
    int effect; /* 0 deny, 1 allow, 2 ask */
    struct term subjects[3], objects[3];
    unsigned subject_count, object_count;
    unsigned verbs[2], verb_count;
    bool only, when;
    int condition[4]; /* 1 wanted, -1 unwanted */
    int from, until;
    unsigned line;
};

static struct entity entities[MAX_ENTITIES];
static unsigned entity_count;
static struct rule rules[MAX_RULES];
static unsigned rule_count;

static void add_entity(enum policy_category category, int class, int label, int name, const char *context)
{
    struct entity *e = &entities[entity_count++];
    CHECK(entity_count <= MAX_ENTITIES);
    *e = (struct entity){.category = category, .class = class, .label = label, .name = name};
    snprintf(e->context, sizeof(e->context), "%s", context);
    for (char *p = e->context; *p; p++)
        if (*p == ' ')
            *p = '-';
}

static enum policy_category category_of(int class)
{
    return class <= 2 ? POLICY_GUEST : class <= 16 ? POLICY_DEVICE : POLICY_NETWORK;
}

static void make_world(GString *text)
{
    char context[80];
    entity_count = 0;
    add_entity(POLICY_LAPTOP, NONE, NONE, NONE, "laptop");
    add_entity(POLICY_PERSON, NONE, NONE, NONE, "person");
    add_entity(POLICY_ADMINISTRATOR, NONE, NONE, NONE, "administrator");
    add_entity(POLICY_REMOTE, NONE, NONE, NONE, "remote-management");
    g_string_append(text, "policy random\nlabel l0, l1 and l2\n");
    for (int class = 1; class < (int)G_N_ELEMENTS(class_words); class ++) {
        add_entity(category_of(class), class, NONE, NONE, class_words[class]);
        for (int label = 0; class <= 2 && label < LABELS; label++) {
            snprintf(context, sizeof(context), "%s:l%d", class_words[class], label);
            add_entity(POLICY_GUEST, class, label, NONE, context);
        }
    }
    for (int name = 0; name < GUESTS + DEVICES + NETWORKS; name++) {
        int class = name < GUESTS             ? 1 + (int)random_below(2)
                    : name < GUESTS + DEVICES ? 3 + (int)random_below(14)
                                              : 17 + (int)random_below(3);
        int label = class <= 2 && random_below(3) ? (int)random_below(LABELS) : NONE;
        const char *kind = class <= 2 ? "guest" : class <= 16 ? "device" : "network";
        g_string_append_printf(text, "%s n%d is a %s", kind, name, class_words[class]);
        if (label >= 0)
            g_string_append_printf(text, " labelled l%d", label);
        g_string_append_c(text, '\n');
        snprintf(context, sizeof(context), "%s:n%d", kind, name);
        add_entity(category_of(class), class, label, name, context);
    }
}

static struct term make_term(uint32_t categories)
{
    struct term t = {.first_class = ANY, .last_class = ANY, .label = ANY, .name = ANY};
    const struct entity *e;
    do
        e = &entities[random_below(entity_count)];
    while (!(categories & 1U << e->category));
    t.category = e->category;
    if (e->class == NONE) {
        static const char *const words[] = {"", "", "the laptop", "person", "an administrator", "remote management"};
        snprintf(t.text, sizeof(t.text), "%s", words[e->category]);
    } else if (e->name >= 0 && random_below(2)) {
        t.name = e->name;
        snprintf(t.text, sizeof(t.text), "%s n%d",
                 e->category == POLICY_GUEST    ? "guest"
                 : e->category == POLICY_DEVICE ? "device"
                                                : "network",
                 e->name);
    } else if (random_below(2)) {
        t.first_class = t.last_class = e->class;
        snprintf(t.text, sizeof(t.text), "any %s", class_words[e->class]);
    } else if (e->category == POLICY_DEVICE && random_below(2)) {
        bool usb = random_below(2);
        t.first_class = usb ? 3 : 12;
        t.last_class = usb ? 11 : 16;
        snprintf(t.text, sizeof(t.text), "any %s device", usb ? "usb" : "pci");
    } else {
        snprintf(t.text, sizeof(t.text), "any %s",
                 e->category == POLICY_GUEST    ? "guest"
                 : e->category == POLICY_DEVICE ? "device"
                                                : "network");
    }
    if (e->category == POLICY_GUEST && t.name == ANY && random_below(3) == 0) {
        t.label = (int)random_below(LABELS);
        snprintf(t.text + strlen(t.text), sizeof(t.text) - strlen(t.text), " labelled l%d", t.label);
    }
    return t;
}

static void make_when(struct rule *r)
{
    r->when = random_below(3) == 0;
    r->only = r->when && r->effect && random_below(2);
    if (r->when && random_below(2)) {
        r->from = (int)random_below(24 * 60);
        r->until = (int)random_below(24 * 60);
    }
    for (unsigned i = 0; r->when && i < 4; i++)
        r->condition[i] = random_below(3) ? 0 : random_below(2) ? 1 : -1;
    if (r->from == r->until && !r->condition[0] && !r->condition[1] && !r->condition[2])
        r->condition[3] = r->when;
}

/* One verb, or two that take the same objects. */
static void make_rule(struct rule *r)
{
    *r = (struct rule){.effect = (int)random_below(3)};
    r->verbs[r->verb_count++] = random_below(policy_verb_count());
    const struct policy_verb_words *v = &policy_verbs[r->verbs[0]];
    if (random_below(3) == 0) {
        unsigned other = random_below(policy_verb_count());
        const struct policy_verb_words *o = &policy_verbs[other];
        if (o->subjects == v->subjects && o->objects == v->objects && o->enforcer == v->enforcer &&
            policy_verb_names_object(other) == policy_verb_names_object(r->verbs[0]))
            r->verbs[r->verb_count++] = other;
    }
    make_when(r);
    if (v->enforcer == POLICY_BY_HYPERVISOR) {
        struct rule plain = {.effect = r->effect & 1, .verbs = {r->verbs[0], r->verbs[1]}, .verb_count = r->verb_count};
        *r = plain;
    }
    r->subject_count = 1 + random_below(3);
    r->object_count = policy_verb_names_object(r->verbs[0]) ? 1 + random_below(3) : 1;
    for (unsigned i = 0; i < r->subject_count; i++)
        r->subjects[i] = make_term(v->subjects);
    for (unsigned i = 0; i < r->object_count; i++)
        r->objects[i] = make_term(v->objects);
}

static const char *separator(void)
{
    static const char *const separators[] = {", ", " and ", ", and "};
    return separators[random_below(3)];
}

static void write_rule(GString *text, const struct rule *r)
{
    static const char *const effects[] = {"deny", "allow", "ask before allowing"};
    const char *between = r->only ? " only when " : random_below(2) ? " when " : " while ";
    g_string_append_printf(text, "%s ", effects[r->effect]);
    for (unsigned i = 0; i < r->subject_count; i++)
        g_string_append_printf(text, "%s%s", i ? separator() : "", r->subjects[i].text);
    g_string_append(text, " to ");
    for (unsigned i = 0; i < r->verb_count; i++)
        g_string_append_printf(text, "%s%s", i ? separator() : "", policy_verbs[r->verbs[i]].words);
    for (unsigned i = 0; policy_verb_names_object(r->verbs[0]) && i < r->object_count; i++)
        g_string_append_printf(text, "%s%s", i ? separator() : " ", r->objects[i].text);
    for (unsigned i = 0; i < 4; i++) {
        if (!r->condition[i])
            continue;
        g_string_append_printf(text, "%s%s%s", between, r->condition[i] < 0 ? "not " : "", condition_words[i]);
        between = " and ";
    }
    if (r->from != r->until)
        g_string_append_printf(text, "%sbetween %02d:%02d and %02d:%02d", between, r->from / 60, r->from % 60,
                               r->until / 60, r->until % 60);
    g_string_append_c(text, '\n');
}

static void add_rule(GString *text, struct rule r)
{
    r.line = 1;
    for (const char *p = text->str; *p; p++)
        r.line += *p == '\n';
    rules[rule_count++] = r;
    write_rule(text, &r);
}

/* What every policy must say, and then anything. */
static void make_policy(GString *text)
{
    static const unsigned needed[] = {POLICY_VERB_CONTROL, POLICY_VERB_DEVICE_MODEL, POLICY_VERB_DRIVE_HARDWARE};
    g_string_truncate(text, 0);
    make_world(text);
    rule_count = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++) {
        struct term laptop = {POLICY_LAPTOP, ANY, ANY, ANY, ANY, "the laptop"};
        struct rule r = {.effect = 1,
                         .subjects = {laptop},
                         .objects = {laptop},
                         .subject_count = 1,
                         .object_count = 1,
                         .verbs = {needed[i]},
                         .verb_count = 1};
        add_rule(text, r);
    }
    unsigned count = 5 + random_below(MAX_RULES - 8);
    while (rule_count < count) {
        struct rule r;
        make_rule(&r);
        add_rule(text, r);
        if (random_below(8) == 0)
            g_string_append(text, "\n    # a remark\n");
    }
}

static bool means(const struct term *terms, unsigned count, const struct entity *e)
{
    for (unsigned i = 0; i < count; i++) {
        const struct term *t = &terms[i];
        if (t->category == e->category && (t->name == ANY || t->name == e->name) &&
            (t->label == ANY || t->label == e->label) &&
            (t->first_class == ANY || (e->class >= t->first_class && e->class <= t->last_class)))
            return true;
    }
    return false;
}

static bool is_so(const struct rule *r, unsigned conditions, int minute)
{
    for (unsigned i = 0; i < 4; i++)
        if (r->condition[i] && (r->condition[i] > 0) != (conditions >> i & 1))
            return false;
    for (int m = r->from; m != r->until; m = (m + 1) % (24 * 60))
        if (m == minute)
            return true;
    return r->from == r->until;
}

/* The effect, and the line of the rule that gives it; 0 for none. */
static int expected(const struct entity *s, unsigned verb, const struct entity *o, struct policy_moment now,
                    unsigned *line)
{
    for (unsigned i = 0; i < rule_count; i++) {
        const struct rule *r = &rules[i];
        bool about = false;
        for (unsigned v = 0; v < r->verb_count; v++)
            about |= r->verbs[v] == verb;
        if (!about || !means(r->subjects, r->subject_count, s) || !means(r->objects, r->object_count, o))
            continue;
        bool so = is_so(r, now.conditions, now.minute);
        *line = r->line;
        if (so)
            return r->effect;
        if (r->only)
            return 0;
    }
    *line = 0;
    return 0;
}

static struct policy *read_text(const GString *text)
{
    char path[64];
    int fd = memfd_create("policy", 0);
    CHECK(fd >= 0 && write(fd, text->str, text->len) == (ssize_t)text->len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct policy *policy = policy_read(path);
    close(fd);
    return policy;
}

static void ask(const struct policy_table *t, const GString *text)
{
    static const enum policy_effect effects[] = {POLICY_DENY, POLICY_ALLOW, POLICY_ASK};
    uint32_t number[MAX_ENTITIES];
    for (unsigned i = 0; i < entity_count; i++) {
        number[i] = policy_table_by_context(t, entities[i].context);
        CHECK(number[i], "%s", entities[i].context);
    }
    for (unsigned i = 0; i < QUESTIONS_EACH; i++) {
        unsigned s = random_below(entity_count), o = random_below(entity_count), line;
        /* Half of them about something that a rule says. */
        const struct rule *r = &rules[random_below(rule_count)];
        unsigned verb = random_below(2) ? r->verbs[0] : random_below(policy_verb_count());
        if (random_below(2) && !policy_verb_names_object(verb))
            o = 0;
        struct policy_moment now = {(uint16_t)random_below(16), (uint16_t)random_below(24 * 60)};
        int effect = expected(&entities[s], verb, &entities[o], now, &line);
        struct policy_answer a = policy_table_ask(t, number[s], verb, number[o], now);
        CHECK(a.effect == effects[effect] && t->rules[a.rule].line == line,
              "%s to %s %s, conditions %x, minute %u: %d by line %u, expected %d by line %u, in\n%s",
              entities[s].context, policy_verbs[verb].words, entities[o].context, now.conditions, now.minute,
              (int)a.effect, t->rules[a.rule].line, effect, line, text->str);
    }
}

int main(void)
{
    GString *text = g_string_new(NULL);
    unsigned asked = 0, refused = 0;
    while (asked < QUESTIONS) {
        make_policy(text);
        struct policy *policy = read_text(text);
        GByteArray *bytes = policy_compile(policy);
        struct policy_table table;
        if (bytes) {
            CHECK_EQUAL(POLICY_LOADED, policy_table_load(&table, bytes->data, bytes->len));
            ask(&table, text);
            asked += QUESTIONS_EACH;
            g_byte_array_unref(bytes);
        } else {
            const char *message = policy->messages->pdata[0];
            CHECK(strstr(message, "rules with \"when\" are about the same"), "%s\n%s", message, text->str);
            CHECK(++refused < 20);
        }
        policy_free(policy);
    }
    g_string_free(text, TRUE);
    printf("%u questions, %u policies refused for too many conditions\n", asked, refused);
    return 0;
}
