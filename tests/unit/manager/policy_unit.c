/* The one asker, labels, facts, the log and the bounds of questions of the policy: the real files on tables of the real
 * compiler. */
#include "directory.h"
#include "errors.h"
#include "model.h"
#include "policy/asker.h"
#include "policy/log.h"
#include "policy/questions.h"
#include "wait_for.h"

#include <string.h>

static const struct policy_party person = {.category = POLICY_PERSON}, laptop = {.category = POLICY_LAPTOP},
                                 administrator = {.category = POLICY_ADMINISTRATOR},
                                 work = {POLICY_GUEST, "work", NULL}, secret = {POLICY_GUEST, "s", "untrusted"};
static const struct policy_facts noon = {.minute = 720};

#define MACHINE                                                                                                        \
    "allow the laptop to control, run device model of the laptop and any guest\n"                                      \
    "allow the laptop to drive hardware\n"

static GByteArray *compile(const char *path)
{
    struct policy *policy = policy_read(path);
    GByteArray *bytes = policy_compile(policy);
    if (!bytes)
        g_error("%s", (const char *)policy->messages->pdata[0]);
    policy_free(policy);
    return bytes;
}

static GByteArray *compile_text(struct directory *directory, const char *rules)
{
    g_autofree char *text = g_strconcat("policy test\nlabel untrusted, trusted\n" MACHINE, rules, NULL);
    g_autofree char *path = write_file(directory, "test.policy", text);
    return compile(path);
}

static void take(struct policy_asker *asker, GByteArray *table)
{
    g_autoptr(GError) error = NULL;
    policy_asker_take(asker, table->data, table->len, &error);
    g_assert_no_error(error);
}

static enum policy_effect ask(struct policy_asker *asker, const struct policy_party *subject, enum policy_verb verb,
                              const struct policy_party *object)
{
    return policy_ask(asker, subject, verb, object, &noon).effect;
}

/* ---- what is in force ---- */

static void test_none(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = g_build_filename(directory->path, "policy.table", NULL);
    struct policy_asker *asker = policy_asker_new(NULL, NULL);
    g_autoptr(GError) error = NULL;
    char context[GUEST_CONTEXT_BYTES] = "x";
    (void)data;
    g_assert_true(policy_asker_read(asker, path, &error));
    for (guint verb = 0; *policy_verb_text((enum policy_verb)verb); verb++) {
        struct policy_decision decision = policy_ask(asker, &person, (enum policy_verb)verb, &work, &noon);
        g_assert_cmpint(decision.effect, ==, POLICY_ALLOW);
        g_assert_false(decision.by_rule);
    }
    g_assert_true(policy_label(asker, "work", "whatever", context, &error));
    g_assert_cmpstr(context, ==, "");
    g_autofree char *name = policy_asker_name(asker);
    g_assert_cmpstr(name, ==, "");
    policy_asker_free(asker);
}

static void expect_refused(struct policy_asker *asker, const char *path, const char *why)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(policy_asker_read(asker, path, &error));
    if (!strstr(error->message, why) || !strstr(error->message, "The one before goes on."))
        g_error("\"%s\" does not say \"%s\"", error->message, why);
    struct policy_decision decision = policy_ask(asker, &person, POLICY_VERB_START, &work, &noon);
    g_assert_cmpint(decision.effect, ==, POLICY_DENY);
    g_assert_true(g_str_has_prefix(decision.rule, "test.policy:5: deny person to start any guest"));
}

/* Whatever is wrong with a file, the table before it stays, and the reason is told. */
static void test_refused(struct directory *directory, gconstpointer data)
{
    g_autoptr(GByteArray) good = compile_text(directory, "deny the person to start any guest\n"
                                                         "allow the person to stop any guest\n");
    g_autofree char *path = g_build_filename(directory->path, "policy.table", NULL);
    g_autofree guint8 *bytes = g_malloc0(POLICY_MAX_FILE + 100);
    struct policy_file *file = (struct policy_file *)(void *)bytes;
    struct policy_asker *asker = policy_asker_new(NULL, NULL);
    (void)data;
    g_assert_true(g_file_set_contents(path, (char *)good->data, good->len, NULL));
    g_assert_true(policy_asker_read(asker, path, NULL));
    for (guint length = 0; length < good->len; length += length < 128 ? 1 : 97) {
        g_assert_true(g_file_set_contents(path, (char *)good->data, length, NULL));
        expect_refused(asker, path, length < sizeof(*file) ? "too short" : "cut off");
    }
    for (guint at = 0; at < good->len; at += at < 64 ? 1 : 53) {
        memcpy(bytes, good->data, good->len);
        bytes[at] ^= 0x10;
        g_assert_true(g_file_set_contents(path, (char *)bytes, good->len, NULL));
        expect_refused(asker, path, "refused");
    }
    memcpy(bytes, good->data, good->len);
    file->version++;
    file->checksum = policy_checksum(bytes, good->len);
    g_assert_true(g_file_set_contents(path, (char *)bytes, good->len, NULL));
    expect_refused(asker, path, "another version");
    memcpy(bytes, good->data, good->len);
    g_assert_true(g_file_set_contents(path, (char *)bytes, POLICY_MAX_FILE + 100, NULL));
    expect_refused(asker, path, "something after its end");
    g_assert_cmpint(g_unlink(path), ==, 0);
    expect_refused(asker, path, "No such file");
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    expect_refused(asker, path, "cannot be read");
    g_assert_cmpint(g_rmdir(path), ==, 0);
    policy_asker_free(asker);
}

/* Who never had a policy that could be read has to get one before anything else. */
static void test_first_unusable(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = write_file(directory, "policy.table", "This is no policy.");
    g_autoptr(GByteArray) good = compile_text(directory, "allow the person to start any guest\n");
    struct policy_asker *asker = policy_asker_new(NULL, NULL);
    g_autoptr(GError) error = NULL;
    (void)data;
    g_assert_false(policy_asker_read(asker, path, &error));
    g_assert_nonnull(strstr(error->message, "nothing is allowed"));
    g_assert_cmpint(ask(asker, &person, POLICY_VERB_START, &work), ==, POLICY_DENY);
    g_assert_cmpint(ask(asker, &administrator, POLICY_VERB_START, &work), ==, POLICY_DENY);
    g_assert_cmpint(ask(asker, &person, POLICY_VERB_CHANGE_POLICY, &laptop), ==, POLICY_DENY);
    g_assert_cmpint(ask(asker, &administrator, POLICY_VERB_CHANGE_POLICY, &laptop), ==, POLICY_ALLOW);
    take(asker, good);
    g_assert_cmpint(ask(asker, &person, POLICY_VERB_START, &work), ==, POLICY_ALLOW);
    g_assert_cmpint(ask(asker, &administrator, POLICY_VERB_CHANGE_POLICY, &laptop), ==, POLICY_DENY);
    policy_asker_free(asker);
}

static gboolean refuse(const void *table, gsize size, gpointer user, GError **error)
{
    guint *left = user;
    (void)table, (void)size;
    if ((*left)++ == 0)
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "The hypervisor refuses it.");
    return FALSE;
}

/* What the hypervisor does not take does not count here either. */
static void test_hypervisor_refuses(struct directory *directory, gconstpointer data)
{
    g_autoptr(GByteArray) first = compile_text(directory, "allow the person to start any guest\n");
    g_autoptr(GByteArray) second = compile_text(directory, "allow the person to stop any guest\n");
    g_autoptr(GError) error = NULL;
    guint told = 0;
    struct policy_asker *asker = policy_asker_new(refuse, &told);
    (void)data;
    take(asker, first);
    g_assert_false(policy_asker_take(asker, second->data, second->len, &error));
    g_assert_error(error, RH_ERROR, RH_ERROR_TOOLSTACK);
    g_assert_cmpint(ask(asker, &person, POLICY_VERB_START, &work), ==, POLICY_ALLOW);
    g_assert_cmpint(ask(asker, &person, POLICY_VERB_STOP, &work), ==, POLICY_DENY);
    policy_asker_free(asker);
}

/* ---- replaced under questions ---- */

struct threads {
    struct policy_asker *asker;
    gint stop, asked;
};

/* Each answer is of one table: effect and rule belong together. */
static gpointer ask_on(gpointer data)
{
    struct threads *threads = data;
    while (!g_atomic_int_get(&threads->stop)) {
        struct policy_decision decision = policy_ask(threads->asker, &person, POLICY_VERB_START, &work, &noon);
        gboolean denied = strstr(decision.rule, ": deny person to start any guest") != NULL;
        gboolean allowed = strstr(decision.rule, ": allow person to start any guest") != NULL;
        g_assert_true(denied != allowed);
        g_assert_cmpint(decision.effect, ==, denied ? POLICY_DENY : POLICY_ALLOW);
        g_assert_cmpstr(decision.object, ==, "work (desktop)");
        g_atomic_int_inc(&threads->asked);
    }
    return NULL;
}

static void test_threads(struct directory *directory, gconstpointer data)
{
    g_autoptr(GByteArray) allows = compile_text(directory, "allow the person to start any guest\n");
    g_autoptr(GByteArray) denies = compile_text(directory, "deny the person to start any guest\n"
                                                           "allow the person to stop any guest\n");
    GByteArray *const tables[] = {allows, denies};
    struct threads threads = {.asker = policy_asker_new(NULL, NULL)};
    GThread *askers[4];
    (void)data;
    take(threads.asker, tables[0]);
    for (guint i = 0; i < G_N_ELEMENTS(askers); i++)
        askers[i] = g_thread_new("asker", ask_on, &threads);
    for (guint i = 0; i < 1000; i++) {
        g_autoptr(GError) error = NULL;
        take(threads.asker, tables[i & 1]);
        g_assert_false(policy_asker_take(threads.asker, tables[0]->data, tables[0]->len - 1, &error));
        g_assert_cmpint(ask(threads.asker, &person, POLICY_VERB_START, &work), ==, i & 1 ? POLICY_DENY : POLICY_ALLOW);
    }
    for (guint tries = 0; tries < 1000 && g_atomic_int_get(&threads.asked) < 1000; tries++)
        g_usleep(1000);
    g_atomic_int_set(&threads.stop, 1);
    for (guint i = 0; i < G_N_ELEMENTS(askers); i++)
        g_thread_join(askers[i]);
    g_assert_cmpint(threads.asked, >=, 1000);
    policy_asker_free(threads.asker);
}

/* ---- what is so ---- */

/* A condition that nobody knows: the rule does not allow, whichever way it is said. */
static void test_unknown(struct directory *directory, gconstpointer data)
{
    g_autoptr(GByteArray) table =
        compile_text(directory, "deny the person to start any guest when locked\n"
                                "allow the person to start any guest\n"
                                "allow the person to stop any guest only when not locked\n"
                                "allow the person to suspend any guest when locked\n"
                                "ask before allowing the person to suspend any guest\n"
                                "allow the person to delete any guest only while locked and on AC\n");
    struct policy_asker *asker = policy_asker_new(NULL, NULL);
    static const struct {
        guint16 holds, unknown;
        enum policy_effect start, stop, suspend, delete;
    } rows[] = {
        {0, 0, POLICY_ALLOW, POLICY_ALLOW, POLICY_ASK, POLICY_DENY},
        {POLICY_WHEN_LOCKED, 0, POLICY_DENY, POLICY_DENY, POLICY_ALLOW, POLICY_DENY},
        {0, POLICY_WHEN_LOCKED, POLICY_DENY, POLICY_DENY, POLICY_ASK, POLICY_DENY},
        {POLICY_WHEN_LOCKED | POLICY_WHEN_ON_AC, 0, POLICY_DENY, POLICY_DENY, POLICY_ALLOW, POLICY_ALLOW},
        {POLICY_WHEN_LOCKED, POLICY_WHEN_ON_AC, POLICY_DENY, POLICY_DENY, POLICY_ALLOW, POLICY_DENY},
        {0, POLICY_WHEN_LOCKED | POLICY_WHEN_ON_AC, POLICY_DENY, POLICY_DENY, POLICY_ASK, POLICY_DENY},
    };
    (void)data;
    take(asker, table);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct policy_facts facts = {.holds = rows[i].holds, .unknown = rows[i].unknown};
        g_assert_cmpint(policy_ask(asker, &person, POLICY_VERB_START, &work, &facts).effect, ==, rows[i].start);
        g_assert_cmpint(policy_ask(asker, &person, POLICY_VERB_STOP, &work, &facts).effect, ==, rows[i].stop);
        g_assert_cmpint(policy_ask(asker, &person, POLICY_VERB_SUSPEND, &work, &facts).effect, ==, rows[i].suspend);
        g_assert_cmpint(policy_ask(asker, &person, POLICY_VERB_DELETE, &work, &facts).effect, ==, rows[i].delete);
    }
    policy_asker_free(asker);
}

/* "while on screen" is about the guest that does it, and no other. */
static void test_on_screen(struct directory *directory, gconstpointer data)
{
    g_autoptr(GByteArray) table = compile_text(directory, "allow any guest to read discs only while on screen\n");
    struct policy_asker *asker = policy_asker_new(NULL, NULL);
    struct policy_facts facts = {.on_screen = "work"}, nobody = {0};
    (void)data;
    take(asker, table);
    g_assert_cmpint(policy_ask(asker, &work, POLICY_VERB_READ_DISCS, &laptop, &facts).effect, ==, POLICY_ALLOW);
    g_assert_cmpint(policy_ask(asker, &secret, POLICY_VERB_READ_DISCS, &laptop, &facts).effect, ==, POLICY_DENY);
    g_assert_cmpint(policy_ask(asker, &work, POLICY_VERB_READ_DISCS, &laptop, &nobody).effect, ==, POLICY_DENY);
    policy_asker_free(asker);
}

/* Nobody has locked the screen: it is not. Under the default policy a guest then gets the microphone after a question,
 * and a disc while it is on screen or after one. */
static void test_locked(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = g_build_filename(g_getenv("POLICIES"), "default.policy", NULL);
    g_autoptr(GByteArray) table = compile(path);
    struct policy_asker *asker = policy_asker_new(NULL, NULL);
    static const struct {
        struct policy_screen screen;
        enum policy_effect microphone, disc;
    } rows[] = {
        {{NULL, FALSE}, POLICY_ASK, POLICY_ASK},
        {{"work", FALSE}, POLICY_ASK, POLICY_ALLOW},
        {{"work", TRUE}, POLICY_DENY, POLICY_ALLOW},
        {{"other", FALSE}, POLICY_ASK, POLICY_ASK},
    };
    (void)data;
    take(asker, table);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct policy_facts facts = policy_facts_now(directory->path, &rows[i].screen);
        g_assert_cmpint(policy_ask(asker, &work, POLICY_VERB_USE_MICROPHONE, &laptop, &facts).effect, ==,
                        rows[i].microphone);
        g_assert_cmpint(policy_ask(asker, &work, POLICY_VERB_READ_DISCS, &laptop, &facts).effect, ==, rows[i].disc);
    }
    policy_asker_free(asker);
}

static void put_supply(const char *supplies, const char *name, const char *type, const char *online, const char *scope)
{
    const char *const files[][2] = {{"type", type}, {"online", online}, {"scope", scope}};
    g_autofree char *folder = g_build_filename(supplies, name, NULL);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(folder, files[i][0], NULL);
        if (files[i][1])
            g_assert_true(g_file_set_contents(path, files[i][1], -1, NULL));
        else
            g_unlink(path);
    }
}

static void take_supply(const char *supplies, const char *name)
{
    g_autofree char *folder = g_build_filename(supplies, name, NULL);
    put_supply(supplies, name, NULL, NULL, NULL);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static guint16 ac(const char *supplies)
{
    const struct policy_screen nobody = {0};
    struct policy_facts facts = policy_facts_now(supplies, &nobody);
    g_assert_cmpint(facts.unknown & (POLICY_WHEN_LOCKED | POLICY_WHEN_SHARED), ==, POLICY_WHEN_SHARED);
    g_assert_cmpint(facts.minute, <, 24 * 60);
    return facts.unknown & POLICY_WHEN_ON_AC ? G_MAXUINT16 : facts.holds;
}

static void test_supplies(struct directory *directory, gconstpointer data)
{
    g_autofree char *supplies = g_build_filename(directory->path, "supplies", NULL);
    (void)data;
    g_assert_cmpuint(ac(supplies), ==, G_MAXUINT16);
    g_assert_cmpint(g_mkdir(supplies, 0700), ==, 0);
    g_assert_cmpuint(ac(supplies), ==, POLICY_WHEN_ON_AC); /* a machine without a battery */
    put_supply(supplies, "mouse", "Battery\n", NULL, "Device\n");
    g_assert_cmpuint(ac(supplies), ==, POLICY_WHEN_ON_AC);
    put_supply(supplies, "BAT0", "Battery\n", NULL, NULL);
    g_assert_cmpuint(ac(supplies), ==, G_MAXUINT16);
    put_supply(supplies, "AC", "Mains\n", "0\n", NULL);
    g_assert_cmpuint(ac(supplies), ==, 0);
    put_supply(supplies, "AC", "Mains\n", "1\n", NULL);
    g_assert_cmpuint(ac(supplies), ==, POLICY_WHEN_ON_AC);
    put_supply(supplies, "AC", "Mains\n", "0\n", NULL);
    put_supply(supplies, "ucsi", "USB\n", "1\n", NULL);
    g_assert_cmpuint(ac(supplies), ==, POLICY_WHEN_ON_AC);
    take_supply(supplies, "mouse");
    take_supply(supplies, "BAT0");
    take_supply(supplies, "AC");
    take_supply(supplies, "ucsi");
}

/* ---- labels ---- */

static void test_labels(struct directory *directory, gconstpointer data)
{
    static const struct {
        const char *name, *label, *context, *error;
    } rows[] = {
        {"work", NULL, "desktop", NULL},
        {"work", "untrusted", "desktop:untrusted", NULL},
        {"work", "desktop untrusted", "desktop:untrusted", NULL},
        {"work", "service", "service", NULL},
        {"work", "trusted  service", "service:trusted", NULL},
        {"work", "wrok", NULL, "label: the policy test knows no label \"wrok\"; it knows untrusted, trusted."},
        {"home", NULL, "guest:home", NULL},
        {"home", "trusted", "guest:home", NULL},
        {"home", "untrusted", NULL, "label: the policy test says that home is a desktop labelled trusted. Take"},
        {"home", "service trusted", NULL, "label: the policy test says that home is a desktop labelled trusted."},
        {"home", "wrok", NULL, "label: the policy test says that home is a desktop labelled trusted."},
    };
    g_autoptr(GByteArray) table = compile_text(directory, "guest home is a desktop labelled trusted\n"
                                                          "allow the person to start any guest\n");
    struct policy_asker *asker = policy_asker_new(NULL, NULL);
    (void)data;
    take(asker, table);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        char context[GUEST_CONTEXT_BYTES];
        g_autoptr(GError) error = NULL;
        gboolean good = policy_label(asker, rows[i].name, rows[i].label, context, &error);
        g_assert_cmpint(good, ==, rows[i].context != NULL);
        if (rows[i].context)
            g_assert_cmpstr(context, ==, rows[i].context);
        else if (!g_str_has_prefix(error->message, rows[i].error))
            g_assert_cmpstr(error->message, ==, rows[i].error);
    }
    policy_asker_free(asker);
}

/* A guest whose label the policy does not know is nobody, who may nothing and to whom nothing is done. */
static void test_nobody(struct directory *directory, gconstpointer data)
{
    g_autoptr(GByteArray) table = compile_text(directory, "allow the person to start any guest\n"
                                                          "allow any guest to use the screen\n");
    const struct policy_party unknown = {POLICY_GUEST, "x", "wrok"};
    struct policy_asker *asker = policy_asker_new(NULL, NULL);
    (void)data;
    take(asker, table);
    g_assert_cmpint(ask(asker, &person, POLICY_VERB_START, &secret), ==, POLICY_ALLOW);
    g_assert_cmpint(ask(asker, &person, POLICY_VERB_START, &unknown), ==, POLICY_DENY);
    g_assert_cmpint(ask(asker, &secret, POLICY_VERB_USE_SCREEN, &laptop), ==, POLICY_ALLOW);
    g_assert_cmpint(ask(asker, &unknown, POLICY_VERB_USE_SCREEN, &laptop), ==, POLICY_DENY);
    policy_asker_free(asker);
}

/* ---- the log ---- */

static guint entry_count(struct policy_log *log, guint *last_count)
{
    g_autoptr(GVariant) entries = g_variant_ref_sink(policy_log_entries(log));
    gsize count = g_variant_n_children(entries);
    if (count && last_count) {
        g_autoptr(GVariant) last = g_variant_get_child_value(entries, count - 1);
        g_assert_true(g_variant_lookup(last, "count", "u", last_count));
    }
    return (guint)count;
}

static void test_log(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = g_build_filename(directory->path, "policy.log", NULL), *text = NULL;
    struct policy_decision decision = {.verb = POLICY_VERB_START, .subject = "person", .rule = "p:1: deny"};
    struct policy_log *log = policy_log_new(path);
    guint count = 0;
    (void)data;
    for (guint i = 0; i < 100000; i++)
        policy_log_add(log, &decision, "denied");
    g_assert_cmpuint(entry_count(log, &count), ==, 1);
    g_assert_cmpuint(count, ==, 100000);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS)); /* later, and once for all of them */
    for (guint i = 0; i < 3 * POLICY_LOG_ENTRIES; i++) {
        g_snprintf(decision.object, sizeof(decision.object), "g%u (desktop)", i);
        policy_log_add(log, &decision, "denied");
    }
    g_assert_cmpuint(entry_count(log, &count), ==, POLICY_LOG_ENTRIES);
    WAIT_FOR(g_file_test(path, G_FILE_TEST_EXISTS));
    policy_log_free(log);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_autofree char *worse = g_strconcat(text, "1\t2\t3\ta\tb\tc\td\n-1\t2\t3\ta\tb\tc\td\te\n1\t2\t0\ta\tb\tc\td\te\n",
                                         "1\t2\t3\ta\tb\033[2J\tc\td\te\nnonsense\n", NULL);
    g_assert_true(g_file_set_contents(path, worse, -1, NULL));
    log = policy_log_new(path);
    g_assert_cmpuint(entry_count(log, NULL), ==, POLICY_LOG_ENTRIES);
    g_autoptr(GVariant) entries = g_variant_ref_sink(policy_log_entries(log));
    g_autoptr(GVariant) last = g_variant_get_child_value(entries, POLICY_LOG_ENTRIES - 1);
    const char *object, *verb;
    g_assert_true(g_variant_lookup(last, "object", "&s", &object) && g_variant_lookup(last, "verb", "&s", &verb));
    g_assert_cmpstr(object, ==, "g1535 (desktop)");
    g_assert_cmpstr(verb, ==, "start");
    policy_log_free(log);
}

/* ---- questions ---- */

void authority_serve(struct authority *authority, gpointer skeleton, const struct authority_method *methods,
                     gpointer user)
{
    (void)authority, (void)skeleton, (void)methods, (void)user;
}

static void count(gpointer user, const struct policy_decision *decision, const GError *error)
{
    g_assert_cmpint(decision->verb, ==, POLICY_VERB_START);
    g_assert_error(error, RH_ERROR, RH_ERROR_NOT_AGREED);
    ++*(guint *)user;
}

/* One user fills his own part alone, and all of them together no more than all of it. */
static void test_bounds(struct directory *directory, gconstpointer data)
{
    g_autoptr(GDBusObjectManagerServer) objects = g_dbus_object_manager_server_new("/org/roundhouse");
    g_autofree char *path = g_build_filename(directory->path, "policy.agreed", NULL);
    g_autofree char *log_path = g_build_filename(directory->path, "policy.log", NULL);
    struct policy_decision decision = {.effect = POLICY_ASK, .verb = POLICY_VERB_START, .subject = "person"};
    struct policy_log *log = policy_log_new(log_path);
    struct policy_questions *questions = policy_questions_new(objects, NULL, log, path);
    guint put = 0, answered = 0;
    (void)data;
    for (guint32 uid = 1000; uid < 1008; uid++) {
        for (guint i = 0; i < 8; i++) {
            g_autoptr(GError) error = NULL;
            gboolean room = i < POLICY_QUESTIONS_OF_ONE && put < POLICY_QUESTIONS_MAX;
            g_assert_cmpint(policy_questions_put(questions, &decision, uid, count, &answered, &error), ==, room);
            if (!room)
                g_assert_error(error, RH_ERROR, RH_ERROR_NOT_AGREED);
            put += room;
        }
    }
    g_assert_cmpuint(put, ==, 16);
    policy_questions_end_all(questions);
    g_assert_cmpuint(answered, ==, put);
    policy_questions_free(questions);
    policy_log_free(log);
}

/* What is kept is bounded: the newest of it, one for the same, and none that counts no more. */
static void test_answers(struct directory *directory, gconstpointer data)
{
    g_autoptr(GDBusObjectManagerServer) objects = g_dbus_object_manager_server_new("/org/roundhouse");
    g_autofree char *path = g_build_filename(directory->path, "policy.agreed", NULL), *text = NULL;
    g_autofree char *log_path = g_build_filename(directory->path, "policy.log", NULL);
    struct policy_decision decision = {.verb = POLICY_VERB_START, .remember = POLICY_FOREVER, .subject = "person"};
    struct policy_log *log = policy_log_new(log_path);
    struct policy_questions *questions = policy_questions_new(objects, NULL, log, path);
    (void)data;
    g_strlcpy(decision.object, "old (desktop)", sizeof(decision.object));
    policy_questions_agree(questions, &decision);
    for (guint i = 0; i < POLICY_ANSWERS_MAX; i++) {
        g_strlcpy(decision.object, "same (desktop)", sizeof(decision.object));
        policy_questions_agree(questions, &decision);
    }
    g_strlcpy(decision.object, "old (desktop)", sizeof(decision.object));
    g_assert_true(policy_questions_agreed(questions, &decision));
    for (guint i = 0; i < POLICY_ANSWERS_MAX; i++) {
        g_snprintf(decision.object, sizeof(decision.object), "g%u (desktop)", i);
        policy_questions_agree(questions, &decision);
    }
    g_assert_true(policy_questions_agreed(questions, &decision));
    g_strlcpy(decision.object, "old (desktop)", sizeof(decision.object));
    g_assert_false(policy_questions_agreed(questions, &decision));
    policy_questions_free(questions);
    policy_log_free(log);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
    g_assert_cmpuint(g_strv_length(lines), ==, POLICY_ANSWERS_MAX + 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_WITH_DIRECTORY("/policy/none", test_none);
    ADD_WITH_DIRECTORY("/policy/refused", test_refused);
    ADD_WITH_DIRECTORY("/policy/first-unusable", test_first_unusable);
    ADD_WITH_DIRECTORY("/policy/hypervisor-refuses", test_hypervisor_refuses);
    ADD_WITH_DIRECTORY("/policy/threads", test_threads);
    ADD_WITH_DIRECTORY("/policy/unknown", test_unknown);
    ADD_WITH_DIRECTORY("/policy/on-screen", test_on_screen);
    ADD_WITH_DIRECTORY("/policy/locked", test_locked);
    ADD_WITH_DIRECTORY("/policy/supplies", test_supplies);
    ADD_WITH_DIRECTORY("/policy/labels", test_labels);
    ADD_WITH_DIRECTORY("/policy/nobody", test_nobody);
    ADD_WITH_DIRECTORY("/policy/log", test_log);
    ADD_WITH_DIRECTORY("/policy/bounds", test_bounds);
    ADD_WITH_DIRECTORY("/policy/answers", test_answers);
    return g_test_run();
}
