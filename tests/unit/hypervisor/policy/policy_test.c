/*
 * The policy in force, from the operation that loads it to the answers at each place that asks: the real files, with
 * tables that the real compiler made. Interrupts are a lock for each thread, which a call of other CPUs takes in turn.
 */
#include "../../check.h"
#include "../../random.h"
#include "../../test_list.h"
#include <hv/abi_internal.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <hv/policy.h>
#include <hv/sched.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <public/roundhouse.h>
#include <xen/xsm/flask_op.h>
#include "../../../../policies/table.h"

enum {
    READERS = 3,
    RELOADS = 1000,
};

static struct domain domain0 = {.is_privileged = true}, plain = {.id = 1}, vault = {.id = 2}, door = {.id = 3},
                     stranger = {.id = 4}, *const all[] = {&domain0, &plain, &vault, &door, &stranger};
static struct vcpu running = {.domain = &domain0};
static unsigned pages_out, lines;
static char last_line[512];
static struct {
    void *bytes;
    size_t size;
} guarded, open_to_all;

/* Fakes. */

static pthread_mutex_t interrupts[READERS + 1];
static __thread unsigned thread_number, irqs_off;

unsigned long fake_irq_save(void)
{
    if (!irqs_off++)
        pthread_mutex_lock(&interrupts[thread_number]);
    return 0;
}

void fake_irq_restore(unsigned long flags)
{
    if (!--irqs_off)
        pthread_mutex_unlock(&interrupts[thread_number]);
}

void call_on_other_cpus(void (*function)(void *data), void *data)
{
    CHECK(!irqs_off);
    for (unsigned i = 0; i < ARRAY_SIZE(interrupts); i++) {
        pthread_mutex_lock(&interrupts[i]);
        function(data);
        pthread_mutex_unlock(&interrupts[i]);
    }
}

void *alloc_zeroed_pages(unsigned order)
{
    void *pages = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
    CHECK(pages);
    pages_out++;
    return memset(pages, 0, PAGE_SIZE << order);
}

void free_virtual_pages(void *pages, unsigned order)
{
    memset(pages, 0xa5, PAGE_SIZE << order);
    pages_out--;
    free(pages);
}

struct domain *domain_get_next_in_any_state(domid_t from)
{
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        if (all[i]->id >= from)
            return all[i];
    return NULL;
}

void domain_put(struct domain *d)
{
}

struct domain *domain_get(domid_t id)
{
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        if (all[i]->id == id)
            return all[i];
    return NULL;
}

static struct domain *foreground;

void sched_set_foreground(struct domain *d)
{
    foreground = d;
}

static struct domain *made;

int domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool privileged, struct domain **out)
{
    *out = made = &plain;
    return 0;
}

void domain_log(enum log_level level, struct domain *d, const char *format, ...)
{
    va_list args;
    CHECK(d == running.domain && !irqs_off); /* who asked pays for it */
    if (thread_number)
        return;
    lines++;
    va_start(args, format);
    vsnprintf(last_line, sizeof(last_line), format, args);
    va_end(args);
}

int domain_refuse(struct domain *d, int error, const char *option)
{
    domain_log(LOG_WARNING, d, "refused: %s", option);
    return error;
}

/* Calls. */

static long flask(struct xen_flask_op *op)
{
    struct hypercall call = {.arg = {(unsigned long)op}};
    return do_xsm_op(&call);
}

static long flask_load(const void *bytes, size_t size)
{
    struct xen_flask_op op = {.cmd = FLASK_LOAD, .interface_version = XEN_FLASK_INTERFACE_VERSION};
    op.u.load.buffer.p = (char *)bytes;
    op.u.load.size = (uint32_t)size;
    return flask(&op);
}

static long flask_simple(uint32_t cmd, uint32_t enforcing)
{
    struct xen_flask_op op = {.cmd = cmd, .interface_version = XEN_FLASK_INTERFACE_VERSION};
    op.u.enforce.enforcing = enforcing;
    return flask(&op);
}

static long to_sid(const char *context, uint32_t *sid)
{
    struct xen_flask_op op = {.cmd = FLASK_CONTEXT_TO_SID, .interface_version = XEN_FLASK_INTERFACE_VERSION};
    op.u.sid_context.context.p = (char *)context;
    op.u.sid_context.size = (uint32_t)strlen(context);
    long result = flask(&op);
    *sid = op.u.sid_context.sid;
    return result;
}

static long to_context(uint32_t sid, char *context, uint32_t *size)
{
    struct xen_flask_op op = {.cmd = FLASK_SID_TO_CONTEXT, .interface_version = XEN_FLASK_INTERFACE_VERSION};
    op.u.sid_context.sid = sid;
    op.u.sid_context.context.p = context;
    op.u.sid_context.size = *size;
    long result = flask(&op);
    *size = op.u.sid_context.size;
    return result;
}

static void load_guarded(void)
{
    CHECK_EQUAL(0, flask_load(guarded.bytes, guarded.size));
    CHECK_EQUAL(0, to_sid("guest:vault", &vault.ssidref));
    CHECK_EQUAL(0, to_sid("guest:door", &door.ssidref));
    plain.ssidref = 0;
    stranger.ssidref = 0xdeadbeef;
    CHECK_EQUAL(0, flask_load(guarded.bytes, guarded.size)); /* finds everybody's label again */
}

/* Tests. */

/* Without a policy there is what there was: the operations are not there, and only the rule is asked. */
static void nothing_without_a_policy(void)
{
    static const uint32_t commands[] = {0, FLASK_GETENFORCE, FLASK_SETENFORCE, FLASK_CONTEXT_TO_SID, 1000};
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
        CHECK_EQUAL(-ENOSYS, flask_simple(commands[i], 0));
    running.domain = &plain;
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
        CHECK_EQUAL(-ENOSYS, flask_simple(commands[i], 0));
    CHECK_EQUAL(-ENOSYS, flask_load(guarded.bytes, guarded.size));
    struct hypercall nowhere = {.arg = {8}};
    CHECK_EQUAL(-ENOSYS, do_xsm_op(&nowhere));
    CHECK(allowed_between(&plain, POLICY_VERB_SHARE_MEMORY, &vault) == 0 && policy_sid_is_of_guest(0xdeadbeef));
    CHECK(allowed_on(&plain, POLICY_VERB_CONTROL, &vault) == -EPERM &&
          allowed_on(&domain0, POLICY_VERB_CONTROL, &vault) == 0);
    CHECK(policy_sid_of(&domain0) == 0 && !policy_is_loaded());
    policy_label(&plain);
    CHECK(lines == 0 && pages_out == 0);
}

/* Who is in the table by name, by kind, and not at all. */
static void each_place_asks(void)
{
    load_guarded();
    CHECK_EQUAL(0, allowed_on(&domain0, POLICY_VERB_CONTROL, &plain));
    CHECK_EQUAL(0, allowed_on(&domain0, POLICY_VERB_CONTROL, &vault));
    CHECK_EQUAL(0, lines);
    CHECK_EQUAL(-EPERM, allowed_on(&domain0, POLICY_VERB_CONTROL, &door));
    CHECK_EQUAL(1, lines);
    CHECK(!strcmp(last_line, "policy denies laptop to control guest:door: guarded.policy:8: "
                             "deny laptop to control guest door"),
          "%s", last_line);
    CHECK_EQUAL(-EPERM, allowed_on(&domain0, POLICY_VERB_CONTROL, &stranger)); /* nobody's */
    CHECK_EQUAL(-EPERM, allowed_on(&domain0, POLICY_VERB_MAP_MEMORY, &vault));
    CHECK_EQUAL(0, allowed_on(&domain0, POLICY_VERB_MAP_MEMORY, &plain));
    CHECK_EQUAL(-EPERM, allowed_on(&domain0, POLICY_VERB_DEVICE_MODEL, &plain));
    CHECK_EQUAL(0, allowed_call(&domain0, POLICY_CONTROL));
    CHECK_EQUAL(0, allowed_call(&domain0, POLICY_HARDWARE));
    CHECK_EQUAL(0, allowed_call(&domain0, POLICY_PIRQS));
    CHECK_EQUAL(0, allowed_call(&domain0, POLICY_DEVICE_MODEL));
    CHECK_EQUAL(-EPERM, allowed_call(&domain0, POLICY_MACHINE_LOG));
    CHECK_EQUAL(0, allowed_call(&domain0, POLICY_ANYONE));
    /* Between guests: by direction, and without power. */
    running.domain = &plain;
    CHECK_EQUAL(0, allowed_between(&plain, POLICY_VERB_SHARE_MEMORY, &domain0));
    CHECK_EQUAL(-EPERM, allowed_between(&plain, POLICY_VERB_SHARE_MEMORY, &vault));
    CHECK_EQUAL(-EPERM, allowed_between(&domain0, POLICY_VERB_SHARE_MEMORY, &plain));
    CHECK(strstr(last_line, "laptop to share memory with desktop: what nothing says is denied"), "%s", last_line);
    CHECK_EQUAL(0, allowed_between(&door, POLICY_VERB_SHARE_MEMORY, &vault));
    CHECK_EQUAL(-EPERM, allowed_between(&vault, POLICY_VERB_SHARE_MEMORY, &door));
    CHECK_EQUAL(0, allowed_between(&vault, POLICY_VERB_SEND_EVENTS, &door));
    CHECK_EQUAL(-EPERM, allowed_between(&stranger, POLICY_VERB_SEND_EVENTS, &domain0));
    CHECK_EQUAL(0, allowed_between(&stranger, POLICY_VERB_SEND_EVENTS, &stranger)); /* of oneself nobody is asked */
}

static long foreground_is(domid_t id)
{
    struct hypercall call = {.arg = {ROUNDHOUSEOP_set_foreground, id}};
    return do_roundhouse_op(&call);
}

static long make_one(uint32_t sid)
{
    struct xen_domctl op = {.u.createdomain = {.max_vcpus = 1, .ssidref = sid, .grant_opts = 1}};
    struct request request = {.argument = &op};
    made = NULL;
    return domctl_createdomain(&request);
}

/* Also those that name a domain beside the machine, and those that it is made by. */
static void each_domain_is_asked_about(void)
{
    load_guarded();
    CHECK(foreground_is(vault.id) == 0 && foreground == &vault);
    CHECK(foreground_is(door.id) == -EPERM && foreground == &vault && lines == 1);
    CHECK(foreground_is(DOMID_INVALID) == 0 && !foreground);
    CHECK(make_one(vault.ssidref) == 0 && made);
    CHECK(make_one(0) == 0 && made);
    lines = 0;
    CHECK(make_one(door.ssidref) == -EPERM && !made && lines == 1); /* nobody could end it */
    CHECK(strstr(last_line, "denies laptop to control guest:door"), "%s", last_line);
    CHECK(make_one(stranger.ssidref) == -EINVAL && !made);
    running.domain = &plain;
    CHECK_EQUAL(-EPERM, allowed_to_make(&plain, vault.ssidref));
}

/* A policy takes away and never gives. */
static void gives_nothing(void)
{
    CHECK_EQUAL(0, flask_load(open_to_all.bytes, open_to_all.size));
    running.domain = &plain;
    for (unsigned verb = 0; verb <= POLICY_VERB_READ_MACHINE; verb++) {
        CHECK_EQUAL(-EPERM, allowed_on(&plain, verb, &vault));
        CHECK_EQUAL(-EPERM, allowed_on(&plain, verb, &plain));
        CHECK_EQUAL(-EPERM, allowed_on(&plain, verb, &domain0));
    }
    CHECK_EQUAL(-EPERM, allowed_call(&plain, POLICY_CONTROL));
    CHECK_EQUAL(-EPERM, allowed_call(&plain, POLICY_HARDWARE));
    CHECK_EQUAL(-EPERM, allowed_call(&plain, POLICY_DEVICE_MODEL));
    CHECK_EQUAL(-EPERM, allowed_call(&plain, POLICY_MACHINE_LOG));
    CHECK_EQUAL(0, lines); /* what the rule denies is no news of the policy */
}

/* No operation is a guest's, and none says more than that. */
static void guests_load_nothing(void)
{
    load_guarded();
    running.domain = &plain;
    CHECK_EQUAL(-EPERM, flask_load(open_to_all.bytes, open_to_all.size));
    CHECK_EQUAL(-EPERM, flask_simple(FLASK_GETENFORCE, 0));
    CHECK_EQUAL(-EPERM, flask_simple(FLASK_SETENFORCE, 0));
    uint32_t sid, size = 100;
    char context[100];
    CHECK_EQUAL(-EPERM, to_sid("guest:vault", &sid));
    CHECK_EQUAL(-EPERM, to_context(vault.ssidref, context, &size));
    CHECK(policy_is_enforced());
    CHECK_EQUAL(-EPERM, allowed_between(&plain, POLICY_VERB_SHARE_MEMORY, &vault));
}

/* What is refused leaves the policy that is in force, and no memory. */
static void refuses_bad_tables(void)
{
    load_guarded();
    unsigned out = pages_out;
    unsigned char *bad = malloc(guarded.size + 1);
    CHECK_EQUAL(1, out);
    for (unsigned round = 0; round < 400; round++) {
        size_t size = round == 0 ? guarded.size - 1 : round == 1 ? guarded.size + 1 : guarded.size;
        memcpy(bad, guarded.bytes, guarded.size);
        bad[guarded.size] = 0;
        if (round > 1)
            bad[random_below((unsigned)size)] ^= (unsigned char)(1U << random_below(8));
        CHECK_EQUAL(-EINVAL, flask_load(bad, size));
        CHECK_EQUAL(out, pages_out);
    }
    free(bad);
    CHECK(strstr(last_line, "refused: "), "%s", last_line);
    CHECK_EQUAL(-EINVAL, flask_load(guarded.bytes, 0));
    CHECK_EQUAL(-EINVAL, flask_load(guarded.bytes, POLICY_MAX_FILE + 1));
    CHECK_EQUAL(-EFAULT, flask_load((void *)8, guarded.size));
    CHECK_EQUAL(out, pages_out);
    /* One by which nobody could load another. */
    struct policy_table t;
    void *copy = memcpy(aligned_alloc(16, ROUND_UP(guarded.size, 16)), guarded.bytes, guarded.size);
    CHECK_EQUAL(POLICY_LOADED, policy_table_load(&t, copy, guarded.size));
    for (unsigned i = 0; i < t.file->steps; i++)
        ((struct policy_file_step *)t.steps)[i].effect = POLICY_DENY;
    ((struct policy_file *)copy)->checksum = policy_checksum(copy, guarded.size);
    CHECK_EQUAL(-EINVAL, flask_load(copy, guarded.size));
    CHECK(strstr(last_line, "could not run"), "%s", last_line);
    free(copy);
    CHECK_EQUAL(-EPERM, allowed_on(&domain0, POLICY_VERB_CONTROL, &door));
    CHECK_EQUAL(0, allowed_on(&domain0, POLICY_VERB_CONTROL, &vault));
}

static void labels(void)
{
    char context[64];
    uint32_t sid, size = sizeof(context);
    load_guarded();
    CHECK(vault.ssidref != door.ssidref && vault.ssidref == policy_sid("guest:vault", 11));
    CHECK_EQUAL(0, to_context(vault.ssidref, context, &size));
    CHECK(!strcmp(context, "guest:vault") && size == 12);
    size = 11;
    memset(context, 'x', sizeof(context));
    CHECK_EQUAL(-ERANGE, to_context(vault.ssidref, context, &size));
    CHECK(size == 12 && context[0] == 'x'); /* how much it takes, and nothing written */
    size = sizeof(context);
    CHECK_EQUAL(0, to_context(0, context, &size)); /* a domain without a label */
    CHECK(!strcmp(context, "desktop"));
    CHECK_EQUAL(0, to_context(policy_sid_of(&domain0), context, &size));
    CHECK(!strcmp(context, "laptop"));
    CHECK_EQUAL(vault.ssidref, policy_sid_of(&vault));
    CHECK_EQUAL(-EINVAL, to_context(0xdeadbeef, context, &size));
    CHECK_EQUAL(-EINVAL, to_sid("guest:vaul", &sid));
    CHECK_EQUAL(-EINVAL, to_sid("", &sid));
    CHECK_EQUAL(-EINVAL,
                to_sid("a context that is so long that there is no room for it: a context that is so long that there "
                       "is no room for it: a context that is so long that there is no room",
                       &sid));
    /* Which a guest may be made with: those of guests. */
    CHECK(policy_sid_is_of_guest(0) && policy_sid_is_of_guest(12) && policy_sid_is_of_guest(vault.ssidref));
    CHECK(!policy_sid_is_of_guest(policy_sid("laptop", 6)) && !policy_sid_is_of_guest(policy_sid("nobody", 6)));
    CHECK(!policy_sid_is_of_guest(policy_sid("person", 6)) && !policy_sid_is_of_guest(0xdeadbeef));
}

/* A domain keeps its label over another policy; where that has it not, it may nothing, until one has it again. */
static void labels_outlive_a_policy(void)
{
    load_guarded();
    CHECK_EQUAL(0, flask_load(open_to_all.bytes, open_to_all.size));
    running.domain = &vault;
    CHECK_EQUAL(-EPERM, allowed_between(&vault, POLICY_VERB_SEND_EVENTS, &door));
    CHECK_EQUAL(-EPERM, allowed_between(&vault, POLICY_VERB_SHARE_MEMORY, &domain0));
    CHECK_EQUAL(0, allowed_between(&plain, POLICY_VERB_SHARE_MEMORY, &domain0));
    running.domain = &domain0;
    CHECK_EQUAL(0, flask_load(guarded.bytes, guarded.size));
    running.domain = &vault;
    CHECK_EQUAL(0, allowed_between(&vault, POLICY_VERB_SEND_EVENTS, &door));
    /* A domain that nobody has labelled yet is looked up. */
    struct domain fresh = {.id = 9, .ssidref = vault.ssidref};
    CHECK_EQUAL(0, allowed_between(&fresh, POLICY_VERB_SEND_EVENTS, &door));
    policy_label(&fresh);
    CHECK_EQUAL(0, allowed_between(&fresh, POLICY_VERB_SEND_EVENTS, &door));
    CHECK_EQUAL(-EPERM, allowed_between(&fresh, POLICY_VERB_SHARE_MEMORY, &door));
}

/* Numbers of identities differ from policy to policy: "service" of the one is "desktop labelled work" of the other. One
 * who was not in the list when a policy came is looked up by his sid. */
static void numbers_of_another_policy(void)
{
    struct domain unlisted = {.id = 9, .ssidref = policy_sid("service", 7)};
    load_guarded();
    CHECK_EQUAL(0, flask_load(open_to_all.bytes, open_to_all.size));
    policy_label(&unlisted);
    CHECK_EQUAL(0, flask_load(guarded.bytes, guarded.size));
    running.domain = &unlisted;
    CHECK_EQUAL(-EPERM, allowed_between(&unlisted, POLICY_VERB_SEND_EVENTS, &vault));
    unlisted.ssidref = policy_sid("desktop:work", 12);
    CHECK_EQUAL(0, allowed_between(&unlisted, POLICY_VERB_SEND_EVENTS, &vault));
}

/* What a domain's label says without asking is what the table says of one whose label is of the policy before. */
static void label_answers_as_the_table(void)
{
    uint64_t before[ARRAY_SIZE(all)];
    load_guarded();
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
            before[i] = all[i]->policy_label;
        CHECK_EQUAL(0, round % 2 ? flask_load(open_to_all.bytes, open_to_all.size)
                                 : flask_load(guarded.bytes, guarded.size));
        for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
            struct domain old = *all[i], old_domain0 = domain0;
            old.policy_label = before[i];
            old_domain0.policy_label = before[0];
            for (unsigned verb = 0; verb <= POLICY_VERB_START; verb++) {
                CHECK_EQUAL(policy_ask(&domain0, verb, &old), policy_ask(&domain0, verb, all[i]), "%u %u", i, verb);
                CHECK_EQUAL(policy_ask(&old, verb, &domain0), policy_ask(all[i], verb, &domain0), "%u %u", i, verb);
                CHECK_EQUAL(policy_ask(&old_domain0, verb, NULL), policy_ask(&domain0, verb, NULL), "%u", verb);
            }
        }
    }
}

static void tells_only(void)
{
    load_guarded();
    CHECK_EQUAL(1, flask_simple(FLASK_GETENFORCE, 0));
    CHECK_EQUAL(0, flask_simple(FLASK_SETENFORCE, 0));
    CHECK_EQUAL(0, flask_simple(FLASK_GETENFORCE, 0));
    CHECK_EQUAL(0, allowed_on(&domain0, POLICY_VERB_CONTROL, &door));
    CHECK(strstr(last_line, "would deny"), "%s", last_line);
    running.domain = &plain;
    CHECK_EQUAL(-EPERM, allowed_on(&plain, POLICY_VERB_CONTROL, &door)); /* the rule holds all the same */
    CHECK_EQUAL(-EPERM, flask_simple(FLASK_SETENFORCE, 0));
    running.domain = &domain0;
    CHECK_EQUAL(0, flask_simple(FLASK_SETENFORCE, 1));
    CHECK_EQUAL(-EPERM, allowed_on(&domain0, POLICY_VERB_CONTROL, &door));
}

static void other_operations_are_not_there(void)
{
    load_guarded();
    for (uint32_t cmd = 0; cmd < 40; cmd++)
        if (cmd != FLASK_LOAD && cmd != FLASK_GETENFORCE && cmd != FLASK_SETENFORCE && cmd != FLASK_CONTEXT_TO_SID &&
            cmd != FLASK_SID_TO_CONTEXT)
            CHECK_EQUAL(-ENOSYS, flask_simple(cmd, 0), "%u", cmd);
    struct xen_flask_op op = {.cmd = FLASK_GETENFORCE, .interface_version = 2};
    CHECK_EQUAL(-ENOSYS, flask(&op));
    struct hypercall nowhere = {.arg = {8}};
    CHECK_EQUAL(-EFAULT, do_xsm_op(&nowhere));
}

/* Questions while policies come and go: each is answered by one of them, from memory that is there. */
static volatile bool stop;

static void *reader(void *number)
{
    unsigned answers[2] = {0, 0};
    thread_number = (unsigned)(uintptr_t)number;
    while (!stop) {
        int answer = allowed_between(&plain, POLICY_VERB_SHARE_MEMORY, &vault);
        CHECK(answer == 0 || answer == -EPERM);
        answers[answer != 0]++;
        CHECK_EQUAL(0, allowed_between(&plain, POLICY_VERB_SHARE_MEMORY, &domain0));
        if (answers[0] % 16 == 0)
            usleep(1); /* lets the loader in where there are few processors */
    }
    CHECK(answers[1]);
    return NULL;
}

/* The answerer stands in the midst of a question, at the texts of the table that denies, while another table is loaded.
 */
static volatile bool in_question, was_loaded, hold_question;

int __wrap_snprintf(char *to, size_t size, const char *format, ...);
int __wrap_snprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    if (hold_question && thread_number) {
        in_question = true;
        for (unsigned ms = 0; ms < 300 && !was_loaded; ms++)
            usleep(1000);
        hold_question = false;
    }
    va_start(args, format);
    int length = vsnprintf(to, size, format, args);
    va_end(args);
    return length;
}

static void *one_question(void *number)
{
    thread_number = (unsigned)(uintptr_t)number;
    CHECK_EQUAL(-EPERM, allowed_between(&plain, POLICY_VERB_SHARE_MEMORY, &vault));
    return NULL;
}

static void waits_for_questions(void)
{
    pthread_t thread;
    load_guarded();
    hold_question = true;
    CHECK(!pthread_create(&thread, NULL, one_question, (void *)1));
    while (!in_question)
        usleep(100);
    CHECK_EQUAL(0, flask_load(open_to_all.bytes, open_to_all.size));
    was_loaded = true;
    CHECK(!hold_question); /* the question had its answer before the load returned */
    pthread_join(thread, NULL);
    CHECK_EQUAL(1, pages_out);
}

static void reloads_under_load(void)
{
    pthread_t threads[READERS];
    load_guarded();
    for (uintptr_t i = 0; i < READERS; i++)
        CHECK(!pthread_create(&threads[i], NULL, reader, (void *)(i + 1)));
    for (unsigned i = 0; i < RELOADS; i++) {
        CHECK_EQUAL(0, flask_load(i % 2 ? guarded.bytes : open_to_all.bytes, i % 2 ? guarded.size : open_to_all.size));
        CHECK_EQUAL(1, pages_out);
    }
    stop = true;
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
}

static void *read_table(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    void *bytes = malloc(POLICY_MAX_FILE);
    CHECK(file, "%s", path);
    *size = fread(bytes, 1, POLICY_MAX_FILE, file);
    fclose(file);
    return bytes;
}

/* Without a policy, as at boot; and Domain-0 runs. */
static void afresh(void (*run)(void))
{
    running.domain = &domain0;
    lines = 0;
    run();
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        {"without a policy nothing is new", nothing_without_a_policy},
        {"each place asks, and a denial names its rule", each_place_asks},
        {"each domain that a call is about is asked about", each_domain_is_asked_about},
        {"a policy gives nothing that the rule denies", gives_nothing},
        {"guests load nothing", guests_load_nothing},
        {"a bad table is refused, and the old one stays", refuses_bad_tables},
        {"labels have names and numbers", labels},
        {"labels outlive a policy", labels_outlive_a_policy},
        {"numbers are those of one policy", numbers_of_another_policy},
        {"a label answers as the table does", label_answers_as_the_table},
        {"what is not enforced is told", tells_only},
        {"other operations are not there", other_operations_are_not_there},
        {"a load waits for questions", waits_for_questions},
        {"policies come and go under questions", reloads_under_load},
    };
    CHECK_EQUAL(3, argc);
    fake_current[0] = &running;
    for (unsigned i = 0; i < ARRAY_SIZE(interrupts); i++)
        pthread_mutex_init(&interrupts[i], NULL);
    guarded.bytes = read_table(argv[1], &guarded.size);
    open_to_all.bytes = read_table(argv[2], &open_to_all.size);
    return run_tests(tests, ARRAY_SIZE(tests), afresh);
}
