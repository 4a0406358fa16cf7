/*
 * The reader of compiled policies: what it refuses and how it says so, what it finds, and that nothing which it accepts
 * leads it outside the bytes that it was given. Each table lies in an allocation of exactly its size, which the
 * sanitizer guards.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model.h"
#include "../check.h"
#include "../random.h"
#include "../test_list.h"

enum {
    FUZZ_ROUNDS = 60000,
};

static const char text[] = "policy tried\n"
                           "label work\n"
                           "guest home is desktop labelled work\n"
                           "guest net is service\n"
                           "device stick is usb storage vendor 0781 model 5567 port 1-2\n"
                           "device sticks is usb storage vendor 0781\n"
                           "network office is wired network\n"
                           "allow laptop to control, run device model of laptop\n"
                           "allow laptop to drive hardware\n"
                           "deny guest home to play sound when locked\n"
                           "ask before allowing guest home to play sound only when between 22:00 and 06:00, "
                           "remember for 2 hours\n"
                           "allow any guest labelled work to play sound when on AC\n"
                           "allow guest net to play sound only when not screen shared\n"
                           "allow guest net to use camera when locked\n"
                           "allow guest net to use camera when on AC\n"
                           "allow guest net to use camera when on screen\n"
                           "allow guest net to use camera when screen shared\n"
                           "allow guest net to use camera when between 01:00 and 02:00\n"
                           "allow guest net to use camera when between 03:00 and 04:00\n"
                           "allow guest net to use camera when between 05:00 and 06:00\n"; /* as long as may be */

struct image {
    unsigned char *bytes;
    size_t size;
};

static struct image image(void)
{
    char path[64];
    int fd = memfd_create("policy", 0);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct policy *policy = policy_read(path);
    close(fd);
    GByteArray *bytes = policy_compile(policy);
    CHECK(bytes, "%s", policy->messages->len ? (const char *)policy->messages->pdata[0] : "");
    struct image made = {g_memdup2(bytes->data, bytes->len), bytes->len};
    g_byte_array_unref(bytes);
    policy_free(policy);
    return made;
}

static struct policy_file *head(struct image i)
{
    return (struct policy_file *)(void *)i.bytes;
}

static enum policy_load load(struct image i, bool seal, struct policy_table *t)
{
    if (seal)
        head(i)->checksum = policy_checksum(i.bytes, i.size);
    return policy_table_load(t, i.bytes, i.size);
}

static void refused_by_its_head(void)
{
    struct image i = image();
    struct policy_table t;
    static const struct {
        size_t offset;
        enum policy_load seen;
    } fields[] = {
        {offsetof(struct policy_file, magic), POLICY_NOT_A_TABLE},
        {offsetof(struct policy_file, checksum), POLICY_DAMAGED},
        {offsetof(struct policy_file, version), POLICY_OTHER_VERSION},
        {offsetof(struct policy_file, size), POLICY_WRONG_SIZE},
    };
    CHECK_EQUAL(POLICY_LOADED, load(i, false, &t));
    for (size_t f = 0; f < G_N_ELEMENTS(fields); f++) {
        i.bytes[fields[f].offset]++;
        CHECK_EQUAL(fields[f].seen, load(i, false, &t), "field %zu", f);
        CHECK(strlen(policy_load_text(fields[f].seen)) > 10);
        i.bytes[fields[f].offset]--;
    }
    for (size_t size = 0; size < i.size; size++) {
        struct policy_table none;
        enum policy_load result = policy_table_load(&none, i.bytes, size);
        CHECK_EQUAL(size < sizeof(struct policy_file) ? POLICY_TOO_SHORT : POLICY_WRONG_SIZE, result);
    }
    unsigned char *moved = g_malloc(i.size + 4);
    memcpy(moved + 4, i.bytes, i.size);
    CHECK_EQUAL(POLICY_TOO_SHORT, policy_table_load(&t, moved + 4, i.size)); /* not aligned */
    g_free(moved);
    g_free(i.bytes);
}

/* Each byte matters: any that changes is seen, by the checksum if by nothing else. */
static void refused_when_damaged(void)
{
    struct image i = image();
    struct policy_table t;
    for (size_t at = 0; at < i.size; at++) {
        i.bytes[at] ^= 0x10;
        CHECK(load(i, false, &t) != POLICY_LOADED, "byte %zu", at);
        i.bytes[at] ^= 0x10;
    }
    g_free(i.bytes);
}

/* Counts that are too large are refused before anything is multiplied by them. */
static void refused_beyond_bounds(void)
{
    static const struct {
        size_t offset;
        uint32_t limit, least;
    } counts[] = {
        {offsetof(struct policy_file, verbs), POLICY_VERB_LIMIT, 1},
        {offsetof(struct policy_file, identities), POLICY_MAX_IDENTITIES, 1},
        {offsetof(struct policy_file, steps), POLICY_MAX_STEPS, 1},
        {offsetof(struct policy_file, rules), POLICY_MAX_RULES, 1},
        {offsetof(struct policy_file, devices), POLICY_MAX_DEVICES, 0},
        {offsetof(struct policy_file, cells), POLICY_MAX_CELLS, 1},
        {offsetof(struct policy_file, strings), POLICY_MAX_STRINGS, 1},
    };
    struct image i = image();
    struct policy_table t;
    for (size_t c = 0; c < G_N_ELEMENTS(counts); c++) {
        uint32_t *count = (uint32_t *)(void *)(i.bytes + counts[c].offset), was = *count;
        const uint32_t tried[] = {counts[c].limit + 1, 0xffffffff, 0x80000000};
        for (size_t n = 0; n < G_N_ELEMENTS(tried); n++) {
            *count = tried[n];
            CHECK_EQUAL(POLICY_OVER_BOUNDS, load(i, true, &t), "count %zu", c);
        }
        *count = counts[c].limit;
        CHECK_EQUAL(POLICY_MALFORMED, load(i, true, &t), "count %zu", c);
        *count = was + 1;
        CHECK_EQUAL(POLICY_MALFORMED, load(i, true, &t), "count %zu", c);
        *count = 0;
        CHECK_EQUAL(counts[c].least ? POLICY_OVER_BOUNDS : POLICY_MALFORMED, load(i, true, &t), "count %zu", c);
        *count = was;
    }
    CHECK_EQUAL(POLICY_LOADED, load(i, true, &t));
    g_free(i.bytes);
}

/* The arrays of a table, to be changed. */
struct parts {
    struct policy_file_verb *verbs;
    struct policy_file_identity *identities;
    struct policy_file_step *steps;
    struct policy_file_rule *rules;
    struct policy_file_device *devices;
    uint16_t *by_sid, *subject_classes, *object_classes, *cells;
    char *strings;
};

static struct parts parts_of(const struct policy_table *t)
{
    return (struct parts){
        .verbs = (struct policy_file_verb *)t->verbs,
        .identities = (struct policy_file_identity *)t->identities,
        .steps = (struct policy_file_step *)t->steps,
        .rules = (struct policy_file_rule *)t->rules,
        .devices = (struct policy_file_device *)t->devices,
        .by_sid = (uint16_t *)t->by_sid,
        .subject_classes = (uint16_t *)t->subject_classes,
        .object_classes = (uint16_t *)t->object_classes,
        .cells = (uint16_t *)t->cells,
        .strings = (char *)t->strings,
    };
}

/* With this in its place the table is refused, and without it is good again. */
#define BREAK(lvalue, value)                                                                                           \
    do {                                                                                                               \
        __typeof__(lvalue) was = lvalue;                                                                               \
        lvalue = (__typeof__(lvalue))(value);                                                                          \
        CHECK_EQUAL(POLICY_MALFORMED, load(i, true, &u));                                                              \
        lvalue = was;                                                                                                  \
        CHECK_EQUAL(POLICY_LOADED, load(i, true, &u));                                                                 \
    } while (0)

/* Each number that a question relies on, one beyond what it may be. */
static void refused_when_malformed(void)
{
    struct image i = image();
    struct policy_table t, u;
    CHECK_EQUAL(POLICY_LOADED, load(i, false, &t));
    const struct policy_file f = *head(i);
    const struct parts p = parts_of(&t);
    BREAK(head(i)->name, f.strings);
    BREAK(p.verbs[13].subject_classes, 1);
    BREAK(p.verbs[13].object_classes, 0);
    BREAK(p.verbs[f.verbs - 1].first_cell, f.cells);
    BREAK(p.verbs[0].first_cell, 0xffffffff);
    BREAK(p.subject_classes[5], 0xffff);
    BREAK(p.object_classes[f.verbs * f.identities - 1], 0xffff);
    BREAK(p.cells[f.cells - 1], f.steps);
    BREAK(p.identities[0].category, POLICY_GUEST);
    BREAK(p.identities[1].category, POLICY_NOBODY);
    BREAK(p.identities[1].category, POLICY_CATEGORIES);
    BREAK(p.identities[1].class, POLICY_CLASS_LIMIT);
    BREAK(p.identities[1].reserved, 1);
    BREAK(p.identities[1].context, f.strings);
    BREAK(p.identities[1].name, f.strings);
    BREAK(p.identities[1].label, f.strings);
    BREAK(p.identities[1].sid, 0);
    BREAK(p.by_sid[0], f.identities);
    BREAK(p.by_sid[1], t.by_sid[0]);
    BREAK(p.steps[0].effect, POLICY_EFFECTS);
    BREAK(p.steps[0].remember, POLICY_REMEMBERS);
    BREAK(p.steps[0].rule, f.rules);
    BREAK(p.steps[0].flags, 4);
    BREAK(p.steps[f.steps - 1].flags, 0);
    BREAK(p.rules[0].file, f.strings);
    BREAK(p.rules[0].text, f.strings);
    BREAK(p.devices[0].identity, f.identities);
    BREAK(p.devices[0].port, f.strings);
    BREAK(p.strings[f.strings - 1], 'x');
    BREAK(p.strings[0], '\n');
    BREAK(p.strings[0], '\x9b');
    g_free(i.bytes);
}

/* A chain that goes on for longer than any may: time per question is bounded by the load. */
static void refused_when_a_chain_is_long(void)
{
    struct image i = image();
    struct policy_table t, u;
    CHECK_EQUAL(POLICY_LOADED, load(i, false, &t));
    CHECK(t.file->steps > POLICY_MAX_CHAIN);
    const struct parts p = parts_of(&t);
    for (unsigned s = 0; s < t.file->steps - 1; s++)
        p.steps[s].flags = 0;
    CHECK_EQUAL(POLICY_MALFORMED, load(i, true, &u));
    g_free(i.bytes);
}

static struct policy_answer ask(const struct policy_table *t, const char *subject, enum policy_verb verb,
                                const char *object, uint16_t conditions, uint16_t minute)
{
    return policy_table_ask(t, policy_table_by_context(t, subject), verb, policy_table_by_context(t, object),
                            (struct policy_moment){conditions, minute});
}

static void answers(void)
{
    struct image i = image();
    struct policy_table t;
    CHECK_EQUAL(POLICY_LOADED, load(i, false, &t));
    struct policy_answer a = ask(&t, "guest:home", POLICY_VERB_PLAY_SOUND, "laptop", 0, 23 * 60);
    CHECK(a.effect == POLICY_ASK && a.remember == POLICY_FOR_SECONDS && a.seconds == 7200);
    CHECK_EQUAL(11, t.rules[a.rule].line);
    a = ask(&t, "guest:home", POLICY_VERB_PLAY_SOUND, "laptop", POLICY_WHEN_LOCKED, 23 * 60);
    CHECK(a.effect == POLICY_DENY && t.rules[a.rule].line == 10);
    a = ask(&t, "guest:home", POLICY_VERB_PLAY_SOUND, "laptop", POLICY_WHEN_ON_AC, 12 * 60);
    CHECK(a.effect == POLICY_DENY && t.rules[a.rule].line == 11); /* "only" */
    CHECK_EQUAL(POLICY_ASK, ask(&t, "guest:home", POLICY_VERB_PLAY_SOUND, "laptop", 0, 22 * 60).effect);
    CHECK_EQUAL(POLICY_ASK, ask(&t, "guest:home", POLICY_VERB_PLAY_SOUND, "laptop", 0, 0).effect);
    CHECK_EQUAL(POLICY_DENY, ask(&t, "guest:home", POLICY_VERB_PLAY_SOUND, "laptop", 0, 6 * 60).effect);
    CHECK_EQUAL(POLICY_ALLOW, ask(&t, "service:work", POLICY_VERB_PLAY_SOUND, "laptop", POLICY_WHEN_ON_AC, 0).effect);
    a = ask(&t, "service:work", POLICY_VERB_PLAY_SOUND, "laptop", 0, 0);
    CHECK(a.effect == POLICY_DENY && a.rule == 0);
    CHECK_EQUAL(POLICY_ALLOW, ask(&t, "guest:net", POLICY_VERB_PLAY_SOUND, "laptop", 0, 0).effect);
    CHECK_EQUAL(POLICY_DENY, ask(&t, "guest:net", POLICY_VERB_PLAY_SOUND, "laptop", POLICY_WHEN_SHARED, 0).effect);
    CHECK_EQUAL(POLICY_ALLOW, ask(&t, "laptop", POLICY_VERB_CONTROL, "laptop", 0, 0).effect);
    CHECK_EQUAL(POLICY_DENY, ask(&t, "nobody", POLICY_VERB_CONTROL, "laptop", 0, 0).effect);
    /* What the table does not have. */
    const struct policy_moment now = {0};
    CHECK_EQUAL(POLICY_DENY, policy_table_ask(&t, t.file->identities, POLICY_VERB_CONTROL, 1, now).effect);
    CHECK_EQUAL(POLICY_DENY, policy_table_ask(&t, 1, POLICY_VERB_CONTROL, 0xffffffff, now).effect);
    CHECK_EQUAL(POLICY_DENY, policy_table_ask(&t, 1, (enum policy_verb)t.file->verbs, 1, now).effect);
    g_free(i.bytes);
}

static void finds(void)
{
    struct image i = image();
    struct policy_table t;
    CHECK_EQUAL(POLICY_LOADED, load(i, false, &t));
    for (uint32_t n = 0; n < t.file->identities; n++) {
        const char *context = policy_table_context(&t, n);
        CHECK_EQUAL(n, policy_table_by_context(&t, context), "%s", context);
        CHECK_EQUAL(n, policy_table_by_sid(&t, policy_sid(context, strlen(context))), "%s", context);
        CHECK(policy_sid(context, strlen(context)) > 1000); /* none of a toolstack's own */
    }
    CHECK_EQUAL(0, policy_table_by_context(&t, "guest:other"));
    CHECK_EQUAL(0, policy_table_by_context(&t, ""));
    CHECK_EQUAL(0, policy_table_by_sid(&t, 0));
    CHECK_EQUAL(policy_table_by_context(&t, "guest:home"), policy_table_guest(&t, "home", POLICY_CLASS_SERVICE, ""));
    CHECK_EQUAL(policy_table_by_context(&t, "service:work"), policy_table_guest(&t, "x", POLICY_CLASS_SERVICE, "work"));
    CHECK_EQUAL(policy_table_by_context(&t, "desktop"), policy_table_guest(&t, "", POLICY_CLASS_DESKTOP, ""));
    CHECK_EQUAL(0, policy_table_guest(&t, "x", POLICY_CLASS_DESKTOP, "unknown"));
    const enum policy_class_number storage = POLICY_CLASS_USB_STORAGE;
    CHECK_EQUAL(policy_table_by_context(&t, "device:stick"), policy_table_device(&t, storage, 0x781, 0x5567, "1-2"));
    CHECK_EQUAL(policy_table_by_context(&t, "device:sticks"), policy_table_device(&t, storage, 0x781, 0x5567, "1-3"));
    CHECK_EQUAL(policy_table_by_context(&t, "usb-storage"), policy_table_device(&t, storage, 0x782, 0x5567, "1-2"));
    CHECK_EQUAL(policy_table_by_context(&t, "usb-camera"),
                policy_table_device(&t, POLICY_CLASS_USB_CAMERA, 0x781, 0x5567, "1-2"));
    CHECK(!strcmp(policy_table_string(&t, t.file->name), "tried"));
    CHECK(!strcmp(policy_table_string(&t, t.file->strings), ""));
    g_free(i.bytes);
}

/* Whatever was accepted is asked: nothing may be read outside it, and every walk ends. */
static void ask_anything(const struct policy_table *t)
{
    for (unsigned n = 0; n < 32; n++) {
        struct policy_moment now = {(uint16_t)random64(), (uint16_t)random64()};
        uint32_t s = random_below(t->file->identities + 2), o = random_below(t->file->identities + 2);
        struct policy_answer a = policy_table_ask(t, s, random_below(POLICY_VERB_LIMIT + 1), o, now);
        CHECK(a.effect < POLICY_EFFECTS && a.rule < t->file->rules);
        const char *said = policy_table_string(t, t->rules[a.rule].text);
        CHECK(strlen(said) < t->file->strings);
        policy_table_by_context(t, policy_table_context(t, s));
        policy_table_by_sid(t, (uint32_t)random64());
        policy_table_guest(t, "home", random_below(4), "work");
        policy_table_device(t, random_below(POLICY_CLASS_LIMIT), 0x781, (uint32_t)random64(), "1-2");
    }
}

static void withstands_anything(void)
{
    struct image good = image();
    unsigned accepted = 0;
    for (unsigned round = 0; round < FUZZ_ROUNDS; round++) {
        struct image i = {g_memdup2(good.bytes, good.size), good.size};
        struct policy_table t;
        for (unsigned n = 1 + random_below(4); n; n--) {
            size_t at = random_below(4) ? random_below((unsigned)i.size) : random_below(sizeof(struct policy_file));
            if (random_below(2))
                i.bytes[at] = (unsigned char)random_value();
            else
                i.bytes[at] ^= (unsigned char)(1U << random_below(8));
        }
        head(i)->magic = POLICY_FILE_MAGIC;
        head(i)->version = POLICY_FILE_VERSION;
        head(i)->size = (uint32_t)i.size;
        if (load(i, true, &t) == POLICY_LOADED) {
            accepted++;
            ask_anything(&t);
        }
        g_free(i.bytes);
    }
    /* Both happen often, or this tries nothing. */
    CHECK(accepted > FUZZ_ROUNDS / 50 && accepted < FUZZ_ROUNDS - FUZZ_ROUNDS / 50, "%u", accepted);
    g_free(good.bytes);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a wrong head is refused, and said", refused_by_its_head},
        {"damage is refused", refused_when_damaged},
        {"counts beyond their bounds are refused", refused_beyond_bounds},
        {"each number that counts into something is checked", refused_when_malformed},
        {"a chain has an end", refused_when_a_chain_is_long},
        {"answers are the text's", answers},
        {"guests, devices and contexts are found", finds},
        {"nothing that is accepted leads outside", withstands_anything},
    };
    return run_tests(tests, G_N_ELEMENTS(tests), NULL);
}
