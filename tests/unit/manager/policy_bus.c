/* The service with a policy: tables that come and that are refused, who the caller is, labels, the log. */
#include "policy_program.h"
#include "polkit_fake.h"

#include <string.h>
#include <unistd.h>

/* ---- the table ---- */

static gboolean policy_is(struct fixture *fixture, const char *name)
{
    return g_strcmp0(rh_manager1_get_policy(fixture->manager), name) == 0;
}

static gboolean has_problem(struct fixture *fixture, const char *text)
{
    const char *const *problems = rh_manager1_get_problems(fixture->manager);
    for (; problems && *problems; problems++)
        if (strstr(*problems, text))
            return TRUE;
    return FALSE;
}

/* A change is seen; what is refused is told, and changes nothing; and so it is with the hypervisor's refusal. */
static void test_change(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *hypervisor = g_build_filename(fixture->directory, "hypervisor", NULL), *told = NULL, *table = NULL;
    gsize told_size, table_size;
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_POLICY", hypervisor, TRUE);
    start_service(fixture);
    g_assert_true(policy_is(fixture, ""));
    put_policy(fixture, "allow the administrator to stop any guest\n");
    WAIT_FOR(policy_is(fixture, "test"));
    g_assert_true(g_file_get_contents(hypervisor, &told, &told_size, NULL) &&
                  g_file_get_contents(fixture->policy, &table, &table_size, NULL));
    g_assert_cmpmem(told, told_size, table, table_size);
    expect_error(try_start(), DENIED, "what nothing says is denied");
    g_assert_true(g_file_set_contents(fixture->policy, "This is no policy", -1, NULL));
    WAIT_FOR(has_problem(fixture, "The one before goes on."));
    g_assert_true(policy_is(fixture, "test"));
    expect_error(try_start(), DENIED, "what nothing says is denied");
    put_policy(fixture, "allow the administrator to start any guest\n");
    WAIT_FOR(!has_problem(fixture, "The one before"));
    g_assert_no_error(try_start());
    g_unlink(hypervisor);
    g_assert_cmpint(g_mkdir(hypervisor, 0700), ==, 0); /* and so it cannot be written */
    put_policy(fixture, "deny the administrator to start any guest\n");
    WAIT_FOR(has_problem(fixture, "The hypervisor refuses the policy."));
    expect_error(try_start(), "org.roundhouse.Error.WrongState", "work is already running");
    g_rmdir(hypervisor);
}

static GError *load_table(struct fixture *fixture, const char *bytes, gsize size)
{
    GError *error = NULL;
    rh_manager1_call_policy_load_sync(fixture->manager, g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes, size, 1),
                                      NULL, &error);
    return error;
}

/* By the bus: all or nothing, on the disk too. */
static void test_load(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *first = NULL, *second = NULL, *now = NULL;
    gsize first_size, second_size;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "allow the administrator to stop any guest\n");
    g_assert_true(g_file_get_contents(fixture->policy, &first, &first_size, NULL));
    put_policy(fixture, "allow the administrator to start any guest\n");
    g_assert_true(g_file_get_contents(fixture->policy, &second, &second_size, NULL));
    g_assert_cmpint(g_unlink(fixture->policy), ==, 0);
    start_service(fixture);
    g_assert_no_error(load_table(fixture, first, first_size));
    WAIT_FOR(policy_is(fixture, "test"));
    g_assert_true(g_file_get_contents(fixture->policy, &now, NULL, NULL));
    g_assert_cmpmem(now, first_size, first, first_size);
    expect_error(try_start(), DENIED, "what nothing says is denied");
    expect_error(load_table(fixture, second, second_size - 1), "org.roundhouse.Error.BadConfig", "cut off");
    expect_error(try_start(), DENIED, "what nothing says is denied");
    g_assert_no_error(load_table(fixture, second, second_size));
    pass_time(500); /* the watch sees what was written here, and finds nothing new */
    g_assert_no_error(try_start());
    /* Where it cannot be kept, the one before is in force. */
    g_assert_cmpint(g_unlink(fixture->policy), ==, 0);
    g_assert_cmpint(g_mkdir(fixture->policy, 0700), ==, 0);
    expect_error(load_table(fixture, first, first_size), "org.roundhouse.Error.Storage", "The one before is in force");
    expect_error(try_start(), "org.roundhouse.Error.WrongState", "work is already running");
    g_rmdir(fixture->policy);
}

/* A table that cannot be used when the service starts: all is denied, and an administrator can mend it. */
static void test_unusable(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *good = NULL;
    gsize size;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "allow the administrator to start any guest\n");
    g_assert_true(g_file_get_contents(fixture->policy, &good, &size, NULL));
    g_assert_true(g_file_set_contents(fixture->policy, good, (gssize)size - 8, NULL));
    start_service(fixture);
    g_assert_true(has_problem(fixture, "Until another is put in force nothing is allowed."));
    expect_error(try_start(), DENIED, "nothing is allowed");
    g_assert_no_error(load_table(fixture, good, size));
    WAIT_FOR(!has_problem(fixture, "Until another"));
    g_assert_no_error(try_start());
}

/* ---- who it is ---- */

/* A person whom the policy denies it may show to be an administrator; then polkit is asked about that, and only then.
 */
static void test_raise(struct fixture *fixture, gconstpointer data)
{
    struct polkit polkit;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "allow the administrator to start any guest\nallow the person to stop any guest\n");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    polkit_start(&polkit, ALLOW);
    start_service(fixture);
    g_autoptr(GDBusConnection) caller = caller_new();
    expect_error(try_to(caller, WORK, GUEST, "Shutdown", NULL), "org.roundhouse.Error.WrongState", "work is off");
    g_assert_cmpstr(polkit.asked->str, ==, "use ");
    g_string_truncate(polkit.asked, 0);
    expect_error(try_to(caller, WORK, GUEST, "Pause", NULL), DENIED, "what nothing says is denied");
    g_assert_cmpstr(polkit.asked->str, ==, "use ");
    g_string_truncate(polkit.asked, 0);
    g_assert_no_error(try_to(caller, WORK, GUEST, "Start", NULL));
    g_assert_cmpstr(polkit.asked->str, ==, "use administer ");
    polkit_stop(&polkit);
}

/* A guest cannot be talked into another label, or name, whose guests may not be changed. */
static void test_becomes(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "guest bank is a desktop\n"
                        "deny the administrator to change settings of any guest labelled untrusted, the guest bank\n"
                        "allow the administrator to change settings of any guest\n");
    start_service(fixture);
    g_assert_no_error(try_to(caller, WORK, GUEST, "SetSettings",
                             g_variant_parse(NULL, "({'memory_mib': <uint32 64>},)", NULL, NULL, NULL)));
    expect_error(try_to(caller, WORK, GUEST, "SetSettings",
                        g_variant_parse(NULL, "({'label': <'untrusted'>},)", NULL, NULL, NULL)),
                 DENIED, "deny administrator to change settings");
    expect_error(try_to(caller, WORK, GUEST, "Rename", g_variant_new("(s)", "bank")), DENIED,
                 "deny administrator to change settings");
    g_assert_no_error(try_to(caller, WORK, GUEST, "Rename", g_variant_new("(s)", "fun")));
}

/* Who says a setting twice, or in other words, is asked about what comes of it, which is what the last says. */
static void test_said_twice(struct fixture *fixture, gconstpointer data)
{
    static const char *const settings[] = {"({'label': <''>, 'label': <'untrusted'>},)",
                                           "({'label': <' untrusted '>},)", "({'label': <uint32 7>},)",
                                           "({'label': <'desktop untrusted'>},)"};
    static const char *const guests[] = {"({'name': <'x'>, 'name': <'bank'>, 'kernel': <'/k'>}, @aa{sv} [])",
                                         "({'name': <' bank'>, 'kernel': <'/k'>}, @aa{sv} [])",
                                         "({'name': <uint32 7>, 'kernel': <'/k'>, 'label': <uint32 7>}, @aa{sv} [])"};
    g_autoptr(GDBusConnection) caller = caller_new();
    g_autofree char *file = g_build_filename(fixture->guests, "work.conf", NULL), *before = NULL, *after = NULL;
    (void)data;
    define(fixture, "work", 1, "");
    define(fixture, "fun", 2, "label=desktop\nlabel=untrusted");
    put_policy(fixture, "guest bank is a desktop\nlabel 7\n"
                        "deny the administrator to change settings of, create any guest labelled untrusted, "
                        "any guest labelled 7, the guest bank\n"
                        "allow the administrator to change settings of, create any guest\n");
    start_service(fixture);
    g_assert_true(g_file_get_contents(file, &before, NULL, NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++)
        expect_error(try_to(caller, WORK, GUEST, "SetSettings", g_variant_parse(NULL, settings[i], NULL, NULL, NULL)),
                     DENIED, "deny administrator to change settings");
    for (gsize i = 0; i < G_N_ELEMENTS(guests); i++)
        expect_error(
            try_to(caller, MANAGER_PATH, BUS_NAME, "CreateGuest", g_variant_parse(NULL, guests[i], NULL, NULL, NULL)),
            DENIED, "deny administrator to change settings");
    expect_error(try_to(caller, "/org/roundhouse/guests/fun", GUEST, "SetSettings",
                        g_variant_parse(NULL, "({'memory_mib': <uint32 64>},)", NULL, NULL, NULL)),
                 DENIED, "deny administrator to change settings");
    undefine(fixture, "fun");
    WAIT_FOR(guest_count(fixture) == 1);
    /* The file is that of the name that counts. */
    done(fixture, fixture->manager, "CreateGuest",
         "({'name': <'work'>, 'name': <'y'>, 'kernel': <'/k'>, 'label': <'untrusted'>, 'label': <''>}, @aa{sv} [])",
         -1);
    g_assert_true(g_file_get_contents(file, &after, NULL, NULL));
    g_assert_cmpstr(after, ==, before);
    WAIT_FOR(guest_count(fixture) == 2);
}

/* What a caller says comes into no sentence and no file but as a name. */
static void test_names(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *accents = g_strnfill(300, 'x'), *path = g_build_filename(fixture->directory, "policy.log", NULL);
    const char *const names[] = {"a\n9\t9\t1\tagreed\tb\tstart\tc\td", "\033[2J", "work (desktop) to start", accents,
                                 ""};
    g_autoptr(GDBusConnection) caller = caller_new();
    g_autofree char *text = NULL;
    (void)data;
    for (gsize i = 1; i + 1 < 300; i += 2)
        memcpy(accents + i, "\303\251", 2);
    define(fixture, "work", 1, "");
    put_policy(fixture, "allow the administrator to see the laptop\n");
    start_service(fixture);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        GVariantBuilder settings;
        g_variant_builder_init(&settings, G_VARIANT_TYPE("a{sv}"));
        g_variant_builder_add(&settings, "{sv}", "name", g_variant_new_string(names[i]));
        g_variant_builder_add(&settings, "{sv}", "kernel", g_variant_new_string("/k"));
        expect_error(
            try_to(caller, MANAGER_PATH, BUS_NAME, "CreateGuest", g_variant_new("(a{sv}aa{sv})", &settings, NULL)),
            DENIED, "to create ? (desktop). what nothing says is denied");
        expect_error(try_to(caller, MANAGER_PATH, BUS_NAME, "ExportImage", g_variant_new("(shs)", names[i], 0, "raw")),
                     DENIED, "to export ? (desktop). what nothing says is denied");
        expect_error(try_to(caller, WORK, GUEST, "Rename", g_variant_new("(s)", names[i])), DENIED,
                     "what nothing says is denied");
    }
    stop_service(fixture);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    for (const char *at = text; *at; at++)
        g_assert_true((*at >= ' ' && *at <= '~') || *at == '\t' || *at == '\n');
    g_assert_null(strstr(text, "agreed"));
}

static void test_autostart(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    define(fixture, "work", 1, "autostart=true");
    define(fixture, "fun", 2, "autostart=true\nlabel=untrusted");
    put_policy(fixture, "deny the laptop to start unattended any guest labelled untrusted\n"
                        "allow the laptop to start unattended any guest\n");
    start_service(fixture);
    rh_manager1_call_switcher_shown_sync(fixture->manager, NULL, NULL);
    g_autoptr(RhGuest1) work = guest(fixture, "work"), fun = guest(fixture, "fun");
    WAIT_FOR(is(work, "running"));
    WAIT_FOR(g_file_test(fixture->marker, G_FILE_TEST_EXISTS));
    pass_time(300);
    g_assert_true(is(fun, "off"));
}

/* ---- what the guest does itself, and what is copied of it ---- */

/* The microphone may be taken from everybody, and given to those guests alone that may have it. */
static void test_guests_own(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    (void)data;
    define(fixture, "work", 1, "");
    define(fixture, "fun", 2, "label=untrusted");
    put_policy(fixture, "deny any guest labelled untrusted to use microphone, read discs\n"
                        "allow any guest to use microphone, read discs\nallow the administrator to start any guest\n");
    start_service(fixture);
    g_assert_no_error(try_start());
    g_assert_no_error(try_to(caller, "/org/roundhouse/guests/fun", GUEST, "Start", NULL));
    g_assert_no_error(try_to(caller, MANAGER_PATH, BUS_NAME, "GiveMicrophone", g_variant_new("(u)", 1)));
    expect_error(try_to(caller, MANAGER_PATH, BUS_NAME, "GiveMicrophone", g_variant_new("(u)", 2)), DENIED,
                 "deny any guest labelled untrusted to use microphone");
    g_assert_no_error(try_to(caller, MANAGER_PATH, BUS_NAME, "GiveMicrophone", g_variant_new("(u)", 0)));
    expect_error(try_to(caller, "/org/roundhouse/guests/fun", GUEST, "ChangeDisc", g_variant_new("(sh)", "hdc", 0)),
                 DENIED, "deny any guest labelled untrusted to use microphone");
    expect_error(try_to(caller, WORK, GUEST, "ChangeDisc", g_variant_new("(sh)", "hdc", 0)),
                 "org.roundhouse.Error.NotFound", "work has no CD drive");
}

static void refuse_copy(struct fixture *fixture, const char *method, const char *parameters)
{
    refused(fixture, fixture->manager, method, parameters, -1, DENIED, "deny administrator to export");
}

/* Nobody is kept busy with a list without end. */
static void refuse_much(struct fixture *fixture)
{
    g_autoptr(GString) parameters = g_string_new("({'name': <'x'>, 'kernel': <'/k'>}, [");
    for (guint i = 0; i < 300; i++)
        g_string_append_printf(parameters, "%s{'clone': <'free'>}", i ? ", " : "");
    g_string_append(parameters, "])");
    refused(fixture, fixture->manager, "CreateGuest", parameters->str, -1, "org.roundhouse.Error.BadConfig",
            "256 guests and images at most");
}

static void set_label(const char *label)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    g_autofree char *settings = g_strdup_printf("({'label': <'%s'>},)", label);
    g_assert_no_error(try_to(caller, WORK, GUEST, "SetSettings", g_variant_parse(NULL, settings, NULL, NULL, NULL)));
}

static GError *give_microphone(void)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    return try_to(caller, MANAGER_PATH, BUS_NAME, "GiveMicrophone", g_variant_new("(u)", 1));
}

/* A guest stays what it is while it runs, and must be allowed as what it is going to be, too. */
static void test_label_while_running(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    (void)data;
    define(fixture, "work", 1, "label=untrusted");
    put_policy(fixture, "deny any guest labelled untrusted to use microphone\n"
                        "allow any guest to use microphone\n"
                        "allow the administrator to start, stop, change settings of any guest\n");
    start_service(fixture);
    g_assert_no_error(try_start());
    set_label("");
    expect_error(give_microphone(), DENIED, "deny any guest labelled untrusted to use microphone");
    g_assert_no_error(try_to(caller, WORK, GUEST, "Destroy", NULL));
    g_assert_no_error(try_start());
    g_assert_no_error(give_microphone());
    set_label("untrusted");
    expect_error(give_microphone(), DENIED, "deny any guest labelled untrusted to use microphone");
}

/* Each way to copy an image, or to let another guest read it, asks of all guests that have it, also those of which it
 * is not the first. */
static void test_copies(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    make_pool(fixture);
    define(fixture, "work", 1, "disk=image:both");
    define(fixture, "fun", 2, "label=untrusted\ndisk=image:own; image:both");
    put_policy(fixture, "guest bank is a desktop\n"
                        "deny the administrator to export any guest labelled untrusted, the guest bank\n"
                        "allow the administrator to export, create, change settings of any guest\n"
                        "allow the administrator to change settings of the laptop\n");
    start_service(fixture);
    run(fixture, "for i in both own bank free; do mkdir -p pool/images/$i; echo $i >pool/images/$i/disk.img; done");
    refuse_copy(fixture, "CloneImage", "('both', 'new')");
    refuse_copy(fixture, "CloneImage", "('bank', 'new')");
    refuse_copy(fixture, "ExportImage", "('own', handle 0, 'raw')");
    refuse_copy(fixture, "CreateGuest",
                "({'name': <'x'>, 'kernel': <'/k'>}, [{'size': <uint64 512>}, {'clone': <'own'>}])");
    refuse_copy(fixture, "CreateGuest", "({'name': <'x'>, 'kernel': <'/k'>}, [{'clone': <'both'>}])");
    refuse_copy(fixture, "CreateGuest", "({'name': <'x'>, 'kernel': <'/k'>, 'disk': <'image:own,ro'>}, @aa{sv} [])");
    refuse_copy(fixture, "CreateGuest", "({'name': <'x'>, 'type': <'hvm'>, 'cdrom': <'image:bank'>}, @aa{sv} [])");
    refuse_much(fixture);
    g_autoptr(GDBusConnection) caller = caller_new();
    expect_error(try_to(caller, WORK, GUEST, "SetSettings",
                        g_variant_parse(NULL, "({'disk': <'image:both; image:own'>},)", NULL, NULL, NULL)),
                 DENIED, "deny administrator to export");
    g_assert_no_error(try_to(caller, WORK, GUEST, "SetSettings",
                             g_variant_parse(NULL, "({'disk': <'image:both; image:free'>},)", NULL, NULL, NULL)));
    done(fixture, fixture->manager, "CloneImage", "('free', 'new')", -1);
    refused(fixture, fixture->manager, "ExportImage", "('free', handle 0, 'raw')", -1, "org.roundhouse.Error.BadConfig",
            "No file was given");
}

/* An undo point is the laptop's doing; without it the guest runs, and says so. */
static void test_undo(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    make_pool(fixture);
    define(fixture, "work", 1, "disk=image:one\nundo_points=2\nundo_minutes=1");
    put_policy(fixture, "deny the laptop to snapshot any guest\n"
                        "allow the administrator to start, see any guest\n"
                        "allow the administrator to see the laptop\n");
    start_service(fixture);
    run(fixture, "mkdir -p pool/images/one; echo 1 >pool/images/one/disk.img");
    g_assert_no_error(try_start());
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    WAIT_FOR(strstr(rh_guest1_get_error(work), "No undo point of work could be made."));
    g_assert_true(is(work, "running"));
    pass_time(4500); /* two of the test's minutes */
    g_assert_true(log_has(fixture, "denied", "snapshot", "deny laptop to snapshot any guest"));
    g_autoptr(GVariant) points = NULL;
    g_assert_true(rh_guest1_call_list_points_sync(work, &points, NULL, NULL));
    g_assert_cmpuint(g_variant_n_children(points), ==, 0);
}

/* ---- labels ---- */

static void test_labels(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GDBusConnection) caller = caller_new();
    (void)data;
    define(fixture, "work", 1, "label=wrok");
    put_policy(fixture, "allow the administrator to start, create, change settings of any guest\n");
    start_service(fixture);
    WAIT_FOR(has_problem(fixture, "label: the policy test knows no label \"wrok\"; it knows untrusted."));
    g_assert_cmpuint(guest_count(fixture), ==, 1);
    expect_error(try_start(), DENIED, "what nothing says is denied");
    define(fixture, "work", 1, "label=untrusted");
    WAIT_FOR(problem_count(fixture) == 0);
    expect_error(try_to(caller, WORK, GUEST, "SetSettings",
                        g_variant_parse(NULL, "({'label': <'nonsense'>},)", NULL, NULL, NULL)),
                 "org.roundhouse.Error.BadConfig", "knows no label \"nonsense\"; it knows untrusted.");
    expect_error(
        try_to(caller, WORK, GUEST, "SetSettings", g_variant_parse(NULL, "({'label': <'a b'>},)", NULL, NULL, NULL)),
        "org.roundhouse.Error.BadConfig", "label: \"a b\" is not a label of the policy");
    expect_error(try_to(caller, MANAGER_PATH, BUS_NAME, "CreateGuest",
                        g_variant_parse(NULL, "({'name': <'x'>, 'kernel': <'/k'>, 'label': <'nonsense'>}, @aa{sv} [])",
                                        NULL, NULL, NULL)),
                 "org.roundhouse.Error.BadConfig", "knows no label \"nonsense\"; it knows untrusted.");
    g_assert_no_error(try_start());
}

/* ---- the network ---- */

static gboolean rules_have(const char *path, const char *text, gboolean wanted)
{
    g_autofree char *rules = NULL;
    return g_file_get_contents(path, &rules, NULL, NULL) && (strstr(rules, text) != NULL) == wanted;
}

/* A file tells nobody that it is there. */
static void wait_for_rules(const char *path, const char *text, gboolean wanted)
{
    for (guint tries = 0; tries < 300 && !rules_have(path, text, wanted); tries++)
        pass_time(50);
    g_assert_true(rules_have(path, text, wanted));
}

/* Rules come with the policy, follow the guests that run, and what nft does not take is told. */
static void test_network(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *rules = g_build_filename(fixture->directory, "rules", NULL);
    (void)data;
    define(fixture, "work", 1, "network=bridge\nmac=00:16:3e:11:22:33");
    g_setenv("ROUNDHOUSE_FAKE_NFT", rules, TRUE);
    start_service(fixture);
    g_assert_no_error(try_start());
    pass_time(300);
    g_assert_false(g_file_test(rules, G_FILE_TEST_EXISTS)); /* without a policy none */
    put_policy(fixture,
               "allow the administrator to start, stop any guest\nallow any guest to connect to any network\n");
    wait_for_rules(rules, "\"vif1.0\" } goto from_1", TRUE);
    g_assert_true(rules_have(rules, "ether saddr != 00:16:3e:11:22:33 drop", TRUE));
    g_autoptr(GDBusConnection) caller = caller_new();
    g_assert_no_error(try_to(caller, WORK, GUEST, "Destroy", NULL));
    wait_for_rules(rules, "vif1.0", FALSE);
    g_unlink(rules);
    g_assert_cmpint(g_mkdir(rules, 0700), ==, 0);
    g_assert_no_error(try_start());
    WAIT_FOR(has_problem(fixture, "The policy's rules for the network are not in place: Refused."));
    g_rmdir(rules);
    g_assert_no_error(try_to(caller, WORK, GUEST, "Destroy", NULL));
    wait_for_rules(rules, "vif2.0", FALSE);
    WAIT_FOR(!has_problem(fixture, "rules for the network"));
}

/* ---- the log ---- */

static void test_log(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GVariant) answer = NULL;
    const char *effect, *rule;
    (void)data;
    define(fixture, "work", 1, "");
    put_policy(fixture, "allow the administrator to see any guest and the laptop\n"
                        "deny the administrator to start any guest\n"
                        "ask before allowing the administrator to stop any guest\n");
    start_service(fixture);
    expect_error(try_start(), DENIED, "test.policy:7: deny administrator to start any guest");
    struct reply reply;
    g_autoptr(GDBusConnection) caller = caller_new();
    call(caller, WORK, GUEST, "Shutdown", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    WAIT_FOR(reply.there || no_to_all(fixture));
    WAIT_FOR(reply.there);
    g_clear_error(&reply.error);
    stop_service(fixture);
    start_service(fixture); /* it is kept */
    g_assert_true(log_has(fixture, "denied", "start", "test.policy:7: deny administrator to start any guest"));
    g_assert_true(log_has(fixture, "asked", "stop", "test.policy:8: ask"));
    g_assert_true(log_has(fixture, "refused", "stop", "test.policy:8: ask"));
    g_assert_false(log_has(fixture, "denied", "see", ""));
    g_assert_true(
        rh_manager1_call_policy_explain_sync(fixture->manager, "administrator", "start", "work", &answer, NULL, NULL));
    g_assert_true(g_variant_lookup(answer, "effect", "&s", &effect) && g_variant_lookup(answer, "rule", "&s", &rule));
    g_assert_cmpstr(effect, ==, "deny");
    g_assert_cmpstr(rule, ==, "test.policy:7: deny administrator to start any guest");
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/policy/change", test_change},
        {"/policy/load", test_load},
        {"/policy/unusable", test_unusable},
        {"/policy/raise", test_raise},
        {"/policy/becomes", test_becomes},
        {"/policy/said-twice", test_said_twice},
        {"/policy/names", test_names},
        {"/policy/autostart", test_autostart},
        {"/policy/guests-own", test_guests_own},
        {"/policy/label-while-running", test_label_while_running},
        {"/policy/copies", test_copies},
        {"/policy/undo", test_undo},
        {"/policy/labels", test_labels},
        {"/policy/network", test_network},
        {"/policy/log", test_log},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
