/*
 * The policy in force: a compiled table (policies/table.h) that was checked when it was loaded.
 *
 * Questions are asked with interrupts off, and a table that is replaced goes away after every other CPU has taken an
 * interrupt: who asked before has his answer, who asks afterwards asks the new one. No lock, no count.
 *
 * Most questions are what Domain-0 may do to a domain, or that domain to it. Their answers do not depend on the moment
 * and are kept beside the domain's label: such a question costs the same with a policy and without.
 */
#include <hv/bootinfo.h>
#include <hv/domain.h>
#include <hv/domain_log.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <hv/policy.h>
#include <hv/spinlock.h>
#include <hv/lib.h>
#include "../../policies/table.h"

struct policy_in_force {
    struct policy_table table;
    uint32_t generation; /* counts from 1 */
    uint32_t laptop, unlabelled;
    unsigned order; /* of the table's memory */
    void *memory;
};

static struct policy_in_force *in_force; /* [a] read with interrupts off; NULL: none */
static bool is_told_only;                /* [a] */
static uint32_t generations;             /* [a] of the last policy that came into force; 0: there was none */

static const char *const verb_words[] = {
#define VERB(number, name, words, subjects, objects, enforcer, text) [number] = words,
    POLICY_VERBS(VERB)
#undef VERB
};

/* struct domain's policy_label: the generation of the policy that says all of it; what Domain-0 may do to the domain
 * and what it may do to Domain-0, a bit for each of the hypervisor's verbs; whom the policy takes it for. Without a
 * policy it is of generation 0 and nobody's, and all bits are set. */
#define LABEL_GENERATION_SHIFT 32
#define LABEL_OF_LAPTOP_SHIFT  24
#define LABEL_ON_LAPTOP_SHIFT  16
#define LABEL_IDENTITY         0xffffU
#define LABEL_ALL_RIGHTS       0xffff0000UL
#define LABEL_VERBS            7

_Static_assert(POLICY_MAX_IDENTITIES <= LABEL_IDENTITY + 1, "an identity does not fit its place in a label");
_Static_assert(POLICY_VERB_READ_MACHINE == LABEL_VERBS - 1, "a verb of the hypervisor's has no bit in a label");

#define FIRST_OWN_SID 0x80000000U /* policy_sid() gives none below */

/* A guest's identity by its sid; 0, nobody, if it is none of a guest. */
static uint32_t find_label(const struct policy_in_force *p, uint32_t sid)
{
    uint32_t identity = sid < FIRST_OWN_SID ? p->unlabelled : policy_table_by_sid(&p->table, sid);
    return p->table.identities[identity].category == POLICY_GUEST ? identity : 0;
}

/* The machine is Domain-0, and who owns frames that are nobody's. */
static uint32_t label_of(const struct policy_in_force *p, const struct domain *d)
{
    if (!d || d->is_privileged || d->id >= DOMID_FIRST_RESERVED)
        return p->laptop;
    uint64_t known = READ_ONCE(d->policy_label);
    return known >> LABEL_GENERATION_SHIFT == p->generation ? known & LABEL_IDENTITY : find_label(p, d->ssidref);
}

static uint64_t rights(const struct policy_in_force *p, uint32_t subject, uint32_t object)
{
    const struct policy_moment any = {0};
    uint64_t allowed = 0;
    for (unsigned verb = 0; verb < LABEL_VERBS; verb++) {
        if (policy_table_ask(&p->table, subject, verb, object, any).effect == POLICY_ALLOW)
            allowed |= 1UL << verb;
    }
    return allowed;
}

/* p NULL: there is no policy. */
static uint64_t make_label(const struct policy_in_force *p, const struct domain *d)
{
    if (!p)
        return LABEL_ALL_RIGHTS;
    uint32_t identity = d->is_privileged ? p->laptop : find_label(p, d->ssidref);
    return (uint64_t)p->generation << LABEL_GENERATION_SHIFT |
           rights(p, p->laptop, identity) << LABEL_OF_LAPTOP_SHIFT |
           rights(p, identity, p->laptop) << LABEL_ON_LAPTOP_SHIFT | identity;
}

/* False where it is not known, too: between guests, and while a label is older than the policy. */
static bool is_allowed_by_label(const struct domain *subject, enum policy_verb verb, const struct domain *object)
{
    const struct domain *labelled = object ? object : subject;
    unsigned right = LABEL_OF_LAPTOP_SHIFT + (unsigned)verb;
    if (!subject->is_privileged) {
        if (!object || !object->is_privileged)
            return false;
        labelled = subject;
        right = LABEL_ON_LAPTOP_SHIFT + (unsigned)verb;
    }
    uint64_t label = READ_ONCE(labelled->policy_label);
    return (unsigned)verb < LABEL_VERBS && label >> LABEL_GENERATION_SHIFT == READ_ONCE(generations) &&
           label >> right & 1;
}

/* "desktop to share memory with service: default.policy:13: deny ..."; nothing has a place where no rule decides. */
static void describe(char *line, size_t bytes, const struct policy_in_force *p, uint32_t subject, enum policy_verb verb,
                     uint32_t object, uint32_t rule)
{
    const struct policy_file_rule *r = &p->table.rules[rule];
    int length = snprintf(line, bytes, "%.72s to %s %.72s: ", policy_table_context(&p->table, subject),
                          verb_words[verb], policy_table_context(&p->table, object));
    if ((size_t)length >= bytes)
        return;
    if (rule)
        length += snprintf(line + length, bytes - (size_t)length, "%.72s:%u: ", policy_table_string(&p->table, r->file),
                           r->line);
    if ((size_t)length < bytes)
        snprintf(line + length, bytes - (size_t)length, "%.255s", policy_table_string(&p->table, r->text));
}

/* sid: of the object, which is no domain yet; NULL: it is one. */
static __noinline int ask(const struct domain *subject, enum policy_verb verb, const struct domain *object,
                          const uint32_t *sid)
{
    const struct policy_moment any = {0};
    char line[256] __uninitialized;
    unsigned long flags = irq_save();
    const struct policy_in_force *p = __atomic_load_n(&in_force, __ATOMIC_ACQUIRE);
    bool denied = false;

    if (p) {
        uint32_t s = label_of(p, subject), o = sid ? find_label(p, *sid) : label_of(p, object);
        struct policy_answer answer = policy_table_ask(&p->table, s, verb, o, any);
        denied = answer.effect != POLICY_ALLOW;
        if (unlikely(denied))
            describe(line, sizeof(line), p, s, verb, o, answer.rule);
    }
    irq_restore(flags);
    if (likely(!denied))
        return 0;
    bool told_only = READ_ONCE(is_told_only);
    domain_log(LOG_WARNING, current->domain, "policy %s %s", told_only ? "would deny" : "denies", line);
    return told_only ? 0 : -EPERM;
}

int policy_ask(const struct domain *subject, enum policy_verb verb, const struct domain *object)
{
    if (likely(is_allowed_by_label(subject, verb, object)) || !READ_ONCE(in_force))
        return 0;
    return ask(subject, verb, object, NULL);
}

int policy_ask_label(const struct domain *subject, enum policy_verb verb, uint32_t sid)
{
    return likely(!READ_ONCE(in_force)) ? 0 : ask(subject, verb, NULL, &sid);
}

static void label_all(const struct policy_in_force *p)
{
    for (struct domain *d = domain_get_next_in_any_state(0); d;) {
        domid_t next = d->id + 1;
        WRITE_ONCE(d->policy_label, make_label(p, d));
        domain_put(d);
        d = domain_get_next_in_any_state(next);
    }
}

void policy_label(struct domain *d)
{
    unsigned long flags = irq_save();
    const struct policy_in_force *p = __atomic_load_n(&in_force, __ATOMIC_ACQUIRE);
    WRITE_ONCE(d->policy_label, make_label(p, d));
    irq_restore(flags);
}

static void nothing(void *data)
{
}

static void replace(struct policy_in_force *p)
{
    struct policy_in_force *old = in_force;
    p->generation = generations + 1;
    __atomic_store_n(&in_force, p, __ATOMIC_SEQ_CST);
    __atomic_store_n(&generations, p->generation, __ATOMIC_SEQ_CST);
    label_all(p);
    call_on_other_cpus(nothing, NULL);
    if (!old)
        return;
    free_virtual_pages(old->memory, old->order);
    free(old);
}

const char *policy_load(void *table, unsigned order, size_t size)
{
    struct policy_table checked;
    enum policy_load result = policy_table_load(&checked, table, size);
    if (result != POLICY_LOADED)
        return policy_load_text(result);
    if (policy_table_missing(&checked))
        return "a policy by which the machine could not run, or take another";
    struct policy_in_force *p = zalloc(sizeof(*p));
    if (!p)
        return "no memory for a policy";
    p->table = checked;
    p->memory = table;
    p->order = order;
    p->laptop = policy_table_by_sid(&checked, policy_sid("laptop", strlen("laptop")));
    p->unlabelled = policy_table_by_sid(&checked, policy_sid("desktop", strlen("desktop")));
    replace(p);
    return NULL;
}

bool policy_is_loaded(void)
{
    return READ_ONCE(in_force);
}

bool policy_is_enforced(void)
{
    return !READ_ONCE(is_told_only);
}

void policy_enforce(bool enforce)
{
    WRITE_ONCE(is_told_only, !enforce);
}

int policy_context_to_sid(const char *context, size_t length, uint32_t *sid)
{
    unsigned long flags = irq_save();
    const struct policy_in_force *p = __atomic_load_n(&in_force, __ATOMIC_ACQUIRE);
    uint32_t wanted = policy_sid(context, length), identity = p ? policy_table_by_sid(&p->table, wanted) : 0;
    const char *found = identity ? policy_table_context(&p->table, identity) : "";
    bool same = identity && strlen(found) == length && memcmp(found, context, length) == 0;
    irq_restore(flags);
    *sid = wanted;
    return same ? 0 : -EINVAL;
}

int policy_sid_to_context(uint32_t sid, char context[POLICY_CONTEXT_BYTES])
{
    unsigned long flags = irq_save();
    const struct policy_in_force *p = __atomic_load_n(&in_force, __ATOMIC_ACQUIRE);
    uint32_t identity = !p ? 0 : sid < FIRST_OWN_SID ? p->unlabelled : policy_table_by_sid(&p->table, sid);
    if (identity)
        snprintf(context, POLICY_CONTEXT_BYTES, "%.*s", POLICY_CONTEXT_BYTES - 1,
                 policy_table_context(&p->table, identity));
    irq_restore(flags);
    return identity ? 0 : -EINVAL;
}

bool policy_sid_is_of_guest(uint32_t sid)
{
    unsigned long flags = irq_save();
    const struct policy_in_force *p = __atomic_load_n(&in_force, __ATOMIC_ACQUIRE);
    bool is = !p || find_label(p, sid) != 0;
    irq_restore(flags);
    return is;
}

uint32_t policy_sid_of(const struct domain *d)
{
    return policy_is_loaded() && d->is_privileged ? policy_sid("laptop", strlen("laptop")) : d->ssidref;
}
