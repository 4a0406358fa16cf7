/*
 * The reader of compiled policies, as the hypervisor has it too. Everything a question relies on is checked when a
 * table is loaded: each count against its bound, each number against what it counts into, each text for its end and for
 * characters that a log can show.
 */
#include "table.h"

#define ENTRIES(array) (sizeof(array) / sizeof((array)[0]))

static const uint64_t fnv_start = 0xcbf29ce484222325ULL, fnv_prime = 0x100000001b3ULL;

static uint64_t fnv(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    uint64_t hash = fnv_start;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * fnv_prime;
    return hash;
}

uint64_t policy_checksum(const void *bytes, size_t size)
{
    const size_t start = offsetof(struct policy_file, version);
    return fnv((const unsigned char *)bytes + start, size - start);
}

/* The sids below are the reference's initial ones: what a toolstack gives a domain that has no label. */
#define FIRST_SID 0x80000000U

uint32_t policy_sid(const char *context, size_t length)
{
    uint64_t hash = fnv(context, length);
    return (uint32_t)(hash ^ hash >> 32) | FIRST_SID;
}

static size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

static int within_bounds(const struct policy_file *f)
{
    return f->verbs >= 1 && f->verbs <= POLICY_VERB_LIMIT && f->identities >= 1 &&
           f->identities <= POLICY_MAX_IDENTITIES && f->steps >= 1 && f->steps <= POLICY_MAX_STEPS && f->rules >= 1 &&
           f->rules <= POLICY_MAX_RULES && f->devices <= POLICY_MAX_DEVICES && f->cells >= 1 &&
           f->cells <= POLICY_MAX_CELLS && f->strings >= 1 && f->strings <= POLICY_MAX_STRINGS;
}

/* Where each array begins, and as the last what is needed in all: cannot overflow once the counts are within bounds. */
static size_t lay_out(struct policy_table *t, const struct policy_file *f)
{
    const unsigned char *bytes = (const unsigned char *)f;
    size_t at = sizeof(*f);
    t->file = f;
    t->verbs = (const void *)(bytes + at);
    at += f->verbs * sizeof(*t->verbs);
    t->identities = (const void *)(bytes + at);
    at += f->identities * sizeof(*t->identities);
    t->steps = (const void *)(bytes + at);
    at += f->steps * sizeof(*t->steps);
    t->rules = (const void *)(bytes + at);
    at += f->rules * sizeof(*t->rules);
    t->devices = (const void *)(bytes + at);
    at += f->devices * sizeof(*t->devices);
    t->by_sid = (const void *)(bytes + at);
    at += f->identities * sizeof(*t->by_sid);
    t->subject_classes = (const void *)(bytes + at);
    at += (size_t)f->verbs * f->identities * sizeof(*t->subject_classes);
    t->object_classes = (const void *)(bytes + at);
    at += (size_t)f->verbs * f->identities * sizeof(*t->object_classes);
    t->cells = (const void *)(bytes + at);
    at += f->cells * sizeof(*t->cells);
    t->strings = (const char *)(bytes + at);
    return at + f->strings;
}

static int good_strings(const struct policy_table *t)
{
    for (uint32_t i = 0; i < t->file->strings; i++)
        if (t->strings[i] && (t->strings[i] < ' ' || t->strings[i] > '~'))
            return 0;
    return !t->strings[t->file->strings - 1] && t->file->name < t->file->strings;
}

static int good_verbs(const struct policy_table *t)
{
    const uint32_t identities = t->file->identities;
    for (uint32_t v = 0; v < t->file->verbs; v++) {
        const struct policy_file_verb *verb = &t->verbs[v];
        if (verb->first_cell + (uint64_t)verb->subject_classes * verb->object_classes > t->file->cells)
            return 0;
        for (uint32_t i = 0; i < identities; i++)
            if (t->subject_classes[v * identities + i] >= verb->subject_classes ||
                t->object_classes[v * identities + i] >= verb->object_classes)
                return 0;
    }
    for (uint32_t i = 0; i < t->file->cells; i++)
        if (t->cells[i] >= t->file->steps)
            return 0;
    return 1;
}

/* Identity 0 is nobody, and the only one. */
static int good_identities(const struct policy_table *t)
{
    const uint32_t strings = t->file->strings;
    for (uint32_t i = 0; i < t->file->identities; i++) {
        const struct policy_file_identity *id = &t->identities[i];
        if (id->category >= POLICY_CATEGORIES || (id->category == POLICY_NOBODY) != (i == 0) ||
            id->class >= POLICY_CLASS_LIMIT || id->reserved || id->context >= strings || id->name >= strings ||
            id->label >= strings)
            return 0;
        const char *context = t->strings + id->context;
        if (id->sid != policy_sid(context, length_of(context)))
            return 0;
        if (t->by_sid[i] >= t->file->identities ||
            (i && t->identities[t->by_sid[i - 1]].sid >= t->identities[t->by_sid[i]].sid))
            return 0;
    }
    return 1;
}

/* Each chain ends, and soon, wherever a cell enters it: no step with a flag passes a question on. */
static int good_steps(const struct policy_table *t)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < t->file->steps; i++) {
        const struct policy_file_step *s = &t->steps[i];
        if (s->effect >= POLICY_EFFECTS || s->remember >= POLICY_REMEMBERS || s->rule >= t->file->rules ||
            s->flags & ~(POLICY_STEP_LAST | POLICY_STEP_ONLY) || ++length > POLICY_MAX_CHAIN)
            return 0;
        if (s->flags)
            length = 0;
    }
    return length == 0;
}

static int good_references(const struct policy_table *t)
{
    const uint32_t strings = t->file->strings;
    for (uint32_t i = 0; i < t->file->rules; i++)
        if (t->rules[i].file >= strings || t->rules[i].text >= strings)
            return 0;
    for (uint32_t i = 0; i < t->file->devices; i++)
        if (t->devices[i].identity >= t->file->identities || t->devices[i].port >= strings)
            return 0;
    return 1;
}

enum policy_load policy_table_load(struct policy_table *table, const void *bytes, size_t size)
{
    const struct policy_file *f = bytes;
    struct policy_table t;
    if (size < sizeof(*f) || (uintptr_t)bytes % _Alignof(struct policy_file))
        return POLICY_TOO_SHORT;
    if (f->magic != POLICY_FILE_MAGIC)
        return POLICY_NOT_A_TABLE;
    if (f->version != POLICY_FILE_VERSION)
        return POLICY_OTHER_VERSION;
    if (f->size != size || size > POLICY_MAX_FILE)
        return POLICY_WRONG_SIZE;
    if (f->checksum != policy_checksum(bytes, size))
        return POLICY_DAMAGED;
    if (!within_bounds(f))
        return POLICY_OVER_BOUNDS;
    if (lay_out(&t, f) != size || !good_strings(&t) || !good_verbs(&t) || !good_identities(&t) || !good_steps(&t) ||
        !good_references(&t))
        return POLICY_MALFORMED;
    *table = t;
    return POLICY_LOADED;
}

const char *policy_load_text(enum policy_load result)
{
    static const char *const texts[] = {
        [POLICY_LOADED] = "loaded",
        [POLICY_TOO_SHORT] = "too short, or not aligned, for a compiled policy",
        [POLICY_NOT_A_TABLE] = "not a compiled policy",
        [POLICY_OTHER_VERSION] = "compiled for another version of Roundhouse; compile it again",
        [POLICY_WRONG_SIZE] = "cut off, or with something after its end",
        [POLICY_DAMAGED] = "damaged: its checksum is wrong",
        [POLICY_OVER_BOUNDS] = "larger than a policy may be",
        [POLICY_MALFORMED] = "malformed: its parts contradict each other",
    };
    _Static_assert(ENTRIES(texts) == POLICY_LOAD_RESULTS, "a text for each");
    return (unsigned)result < ENTRIES(texts) ? texts[result] : "unknown";
}

static int holds(const struct policy_file_step *s, struct policy_moment now)
{
    if ((now.conditions & s->required) != s->required || now.conditions & s->excluded)
        return 0;
    if (s->from == s->until)
        return 1;
    if (s->from < s->until)
        return now.minute >= s->from && now.minute < s->until;
    return now.minute >= s->from || now.minute < s->until;
}

struct policy_answer policy_table_ask(const struct policy_table *table, uint32_t subject, enum policy_verb verb,
                                      uint32_t object, struct policy_moment moment)
{
    const uint32_t identities = table->file->identities;
    const struct policy_answer denied = {.effect = POLICY_DENY};
    if (subject >= identities || object >= identities || (uint32_t)verb >= table->file->verbs)
        return denied;
    const struct policy_file_verb *v = &table->verbs[verb];
    const uint32_t row = table->subject_classes[verb * identities + subject];
    const uint32_t column = table->object_classes[verb * identities + object];
    const struct policy_file_step *s = &table->steps[table->cells[v->first_cell + row * v->object_classes + column]];
    for (;; s++) {
        if (s->flags & POLICY_STEP_LAST || holds(s, moment))
            return (struct policy_answer){s->effect, s->remember, s->seconds, s->rule};
        if (s->flags & POLICY_STEP_ONLY)
            return (struct policy_answer){.effect = POLICY_DENY, .rule = s->rule};
    }
}

const char *policy_table_string(const struct policy_table *table, uint32_t string)
{
    return string < table->file->strings ? table->strings + string : "";
}

const char *policy_table_context(const struct policy_table *table, uint32_t identity)
{
    return identity < table->file->identities ? table->strings + table->identities[identity].context : "";
}

uint32_t policy_table_by_sid(const struct policy_table *table, uint32_t sid)
{
    uint32_t low = 0, high = table->file->identities;
    while (low < high) {
        uint32_t middle = (low + high) / 2, identity = table->by_sid[middle];
        if (table->identities[identity].sid == sid)
            return identity;
        if (table->identities[identity].sid < sid)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

uint64_t policy_table_missing(const struct policy_table *table)
{
    static const enum policy_verb needed[] = {POLICY_VERB_CONTROL, POLICY_VERB_DEVICE_MODEL,
                                              POLICY_VERB_DRIVE_HARDWARE};
    const struct policy_moment any = {0};
    uint32_t laptop = policy_table_by_sid(table, policy_sid("laptop", sizeof("laptop") - 1));
    uint64_t missing = 0;
    for (size_t i = 0; i < ENTRIES(needed); i++)
        if (policy_table_ask(table, laptop, needed[i], laptop, any).effect != POLICY_ALLOW)
            missing |= 1ULL << needed[i];
    return missing;
}
